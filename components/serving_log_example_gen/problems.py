"""What can be wrong with serving logs, each with the name under which a person meets it."""

from enum import Enum


class About(str, Enum):
    """What a problem is counted in: its proportion is that of all files, records and so on of the span."""

    FILE = "files"
    RECORD = "records"
    IMAGE = "images"
    RESPONSE = "responses"
    ROW = "rows"


class Problem(Enum):
    """Key in counts and dead letters; short name; what it is about; what it means, "" where what is found says it."""

    # Files of the span that are no logs.
    NOT_READ = ("file_not_read", "Files that were not read", About.FILE, "logs are regular files in the span's folder")
    NOT_TFRECORDS = ("not_tfrecords", "Files of another format", About.RECORD, "")
    # Framing and content of records. Such a record becomes no row.
    TORN_RECORD = (
        "torn_record",
        "Torn records",
        About.RECORD,
        "the file ends within a record, as when a server is killed while it writes",
    )
    CORRUPT_RECORD = ("corrupt_record", "Corrupt records", About.RECORD, "a checksum is wrong")
    UNREADABLE_FILE = (
        "unreadable_file",
        "Unreadable log file",
        About.RECORD,
        "what follows in the file cannot be read, however much that is",
    )
    NOT_A_LOG = ("not_a_prediction_log", "Not a PredictionLog", About.RECORD, "the record cannot be parsed as one")
    UNSUPPORTED_LOG = (
        "unsupported_log",
        "Unsupported kind of log",
        About.RECORD,
        "only Predict and Classify requests hold images that can be read",
    )
    NO_IMAGE = ("no_image", "No image in the request", About.RECORD, "")
    TOO_MANY_IMAGES = ("too_many_images", "Too many images in a request", About.RECORD, "")
    SEVERAL_IMAGES = (
        "several_images",
        "Several images in a request",
        About.RECORD,
        "what is monitored is one image classifier, which has one image input",
    )
    BAD_TENSOR = (
        "bad_tensor",
        "Undecodable input",
        About.RECORD,
        "the input's type, shape and values contradict each other",
    )
    CHANNELS_FIRST = ("channels_first", "Channels first (NCHW)", About.RECORD, "")
    WRONG_SHAPE = ("wrong_shape", "Wrong image shape", About.RECORD, "")
    # Single images. The first two become no row.
    BAD_IMAGE = ("bad_image", "Undecodable images", About.IMAGE, "")
    NOT_FINITE = ("not_finite", "NaN or infinite pixels", About.IMAGE, "the image has no values that a pixel can have")
    SCALED_TO_1 = ("scaled_0_to_1", "Pixels scaled to 0..1", About.IMAGE, "")
    SCALED_SIGNED = ("scaled_minus_1_to_1", "Pixels scaled to -1..1", About.IMAGE, "")
    STANDARDISED = ("standardised", "Standardised pixels", About.IMAGE, "values look like mean 0 and deviation 1")
    SCALED_TO_255 = ("scaled_0_to_255", "Pixels scaled to 0..255", About.IMAGE, "")
    OUT_OF_RANGE = ("out_of_range", "Pixels outside the model's range", About.IMAGE, "")
    WRONG_DTYPE = ("wrong_dtype", "Wrong type of pixels", About.IMAGE, "")
    SWAPPED_CHANNELS = (
        "swapped_channels",
        "Red and blue look swapped (BGR)",
        About.IMAGE,
        "the channels' means fit the reference better with red and blue exchanged",
    )
    # Responses. The image becomes a row without predictions.
    MISSING_RESPONSE = ("missing_response", "Missing response", About.RESPONSE, "")
    RESPONSE_ROWS = (
        "response_rows",
        "Response rows do not match",
        About.RESPONSE,
        "",
    )
    BAD_RESPONSE = ("bad_response", "Unusable response", About.RESPONSE, "")
    MISSING_OUTPUT = ("missing_output", "Missing output", About.RESPONSE, "")
    WRONG_KIND = ("wrong_kind", "Scores of another kind", About.RESPONSE, "")
    # The row stays as it is: which of the two answers is right, nobody knows.
    OTHER_CLASS = ("other_class", "Class ids are not the largest scores'", About.RESPONSE, "")
    SORTED_SCORES = ("sorted_scores", "Scores are sorted", About.RESPONSE, "")
    MIXED_CLASSES = (
        "mixed_classes",
        "Responses of different sizes",
        About.RESPONSE,
        "not all responses have the same number of classes or embedding dimensions",
    )
    # Rows of the span as a whole.
    DUPLICATE_ID = ("duplicate_id", "Duplicate ids", About.ROW, "an id occurs more than once; one row of each is kept")
    TOO_MANY_ROWS = ("too_many_rows", "More rows than a span may have", About.ROW, "")
    NO_TIMESTAMP = (
        "no_timestamp",
        "No timestamp",
        About.ROW,
        "without one, a row cannot be subsampled by time; it is left out",
    )
    NO_CLIENT = (
        "no_client",
        "No client",
        About.ROW,
        "without one, a row cannot be subsampled by client; it is left out",
    )

    def __init__(self, key: str, short: str, about: About, meaning: str) -> None:
        self.key = key
        self.short = short
        self.about = about
        self.meaning = meaning


class BrokenError(Exception):
    """A record or an image that can become no row. Never leaves this package: it ends as a dead letter."""

    def __init__(self, problem: Problem, reason: str) -> None:
        super().__init__(reason)
        self.problem = problem
        self.reason = reason
