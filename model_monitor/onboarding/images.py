"""Guesses about a model's images: which feature holds them, as what, and which signature takes them by which input."""

from collections.abc import Collection, Mapping, Sequence

from components.common.errors import MonitorError, require_known
from components.served_model.tensors import STRING

from .described import Examples, Feature, Signature, Tensor, sizes_in_words
from .draft import Draft, in_words

DEFAULT_SIGNATURE = "serving_default"
FILES, EXAMPLES = "image files", "tf.Examples"


def guess_feature(draft: Draft, signatures: Sequence[Signature], examples: Examples) -> Feature | None:
    """Settles `image.feature` and `image.format`. None: it has to be asked."""
    candidates = {name: str(feature) for name, feature in examples.features.items() if feature.sizes}
    shapes = _shapes(draft, signatures)
    for name, feature in examples.features.items():
        for shape in shapes:
            if name not in candidates and _is_raw(feature, shape):
                candidates[name] = f"{feature.rows:,} times {_words(shape)} bytes"
    chosen = draft.choose(
        "image.feature",
        candidates,
        only="the only feature that holds images",
        several="several features hold images",
        none=_no_images(examples, shapes),
    )
    if chosen is None:
        return None
    require_known(chosen, examples.features, "--set image.feature")
    feature = examples.features[chosen]
    if draft.settle("image.format", "encoded" if feature.sizes else "raw", _format_reason(feature)) is None:
        raise MonitorError("`image.format` must be raw or encoded")
    return feature


def guess_signature(
    draft: Draft, signatures: Sequence[Signature], answered: Mapping[str, Collection[str]]
) -> Signature | None:
    """Settles `signatures` and `image.input`. None: it has to be asked.

    Args:
      draft: what is known.
      signatures: of the SavedModel.
      answered: for each signature with a string input, of `FILES` and `EXAMPLES` those that it answered.

    """
    by_name = {each.name: each for each in signatures}
    usable = {each.name: str(each.inputs[0]) for each in signatures if _usable(each, answered, FILES)}
    if not usable:
        usable = {each.name: str(each.inputs[0]) for each in signatures if _usable(each, answered, EXAMPLES)}
    if DEFAULT_SIGNATURE in usable and not draft.was_given("signatures.serve"):
        others = [name for name in usable if name != DEFAULT_SIGNATURE]
        besides = f"; {in_words(others)} would do as well" if others else ""
        reason = f"what servers call where a request names none: {usable[DEFAULT_SIGNATURE]}{besides}"
        serve: str | None = draft.settle("signatures.serve", DEFAULT_SIGNATURE, reason)
    else:
        serve = draft.choose(
            "signatures.serve",
            usable,
            only="the only signature that takes images",
            several="several signatures take images",
            none=_no_signature(signatures, answered),
        )
    if serve is None:
        return None
    require_known(serve, by_name, "--set signatures.serve")
    chosen = by_name[serve]
    if chosen.image_input is None:
        raise MonitorError(f"Signature {serve} {_refusal(chosen)}")
    draft.settle("image.input", chosen.image_input.name, f"the only input of {serve}")
    _guess_examples_signature(draft, signatures, answered)
    return chosen


def guess_pixels(draft: Draft, served: Tensor, feature: Feature) -> None:
    """Settles `image.channels`, `image.size` and `image.dtype`."""
    channels = _channels(served, feature)
    if channels:
        draft.settle("image.channels", channels, f"as many as the input {served} takes")
    elif feature.sizes:
        seen = "no file has colours" if feature.grey else "files have colours"
        draft.settle("image.channels", 1 if feature.grey else 3, f"the input takes any, and {seen}")
    elif draft.was_given("image.channels"):
        draft.settle("image.channels", None, "")
    else:
        draft.ask("image.channels", "nothing says how many channels the images have", {"1": "grey", "3": "RGB"})
    _guess_size(draft, served, feature)
    if served.dtype == STRING:
        draft.settle("image.dtype", STRING, f"the input {served}")
    elif draft.was_given("image.dtype"):
        draft.settle("image.dtype", None, "")


def _guess_size(draft: Draft, served: Tensor, feature: Feature) -> None:
    fixed = list(served.pixels[:2]) if served.pixels and None not in served.pixels[:2] else None
    if fixed:
        size = draft.settle("image.size", fixed, f"the input {served}")
        wrong = feature.sizes - {tuple(size)} if isinstance(size, list) else set()
        if wrong:
            raise MonitorError(
                f"The images of `{feature.name}` are of {sizes_in_words(frozenset(feature.sizes))}, and {served} takes "
                f"{size[0]} x {size[1]}: the Examples must hold the images as the model gets them, resized"
            )
    elif len(feature.sizes) == 1:
        [(height, width)] = feature.sizes
        draft.settle("image.size", [height, width], f"all {feature.rows:,} files that were looked at")
    elif feature.sizes:
        draft.settle("image.size", None, f"left out: the files are of {sizes_in_words(feature.sizes)}")
    elif draft.was_given("image.size"):
        draft.settle("image.size", None, "")
    else:
        draft.ask("image.size", "raw bytes do not say how high and wide an image is", {"[HEIGHT,WIDTH]": ""})


def _guess_examples_signature(
    draft: Draft, signatures: Sequence[Signature], answered: Mapping[str, Collection[str]]
) -> None:
    able = [each.name for each in signatures if EXAMPLES in answered.get(each.name, ())]
    key = "signatures.examples"
    if len(able) == 1:
        draft.settle(key, able[0], "it answered a serialised tf.Example")
    elif draft.was_given(key):
        draft.settle(key, None, "")
    elif able:
        draft.settle(key, None, f"left out: {in_words(able)} would do (--set {key}=NAME)")


def _usable(signature: Signature, answered: Mapping[str, Collection[str]], what: str) -> bool:
    served = signature.image_input
    if served is None:
        return False
    return what in answered.get(signature.name, ()) if served.takes_strings else what == FILES


def _shapes(draft: Draft, signatures: Sequence[Signature]) -> list[tuple[int, ...]]:
    """What raw images may be: the shapes that signatures take, or what the person said."""
    given = draft.given.get("image", {})
    if given.get("size") and given.get("channels"):
        return [(*given["size"], given["channels"])]
    served = [each.image_input for each in signatures]
    shapes = [each.pixels for each in served if each is not None and each.pixels]
    return [tuple(side for side in shape if side) for shape in dict.fromkeys(shapes) if None not in shape]


def _is_raw(feature: Feature, shape: tuple[int, ...]) -> bool:
    height, width, channels = shape
    return feature.kind == "bytes" and feature.single and feature.lengths == {height * width * channels}


def _words(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _format_reason(feature: Feature) -> str:
    return "its values are PNG or JPEG files" if feature.sizes else "its values are as long as raw pixels are"


def _no_images(examples: Examples, shapes: list[tuple[int, ...]]) -> str:
    features = "; ".join(f"{name}: {feature}" for name, feature in examples.features.items())
    wanted = "PNG or JPEG files" + "".join(f", or {_words(shape)} raw bytes" for shape in shapes)
    return f"No feature of the Examples holds images, which are {wanted} in a feature of bytes. There are {features}"


def _no_signature(signatures: Sequence[Signature], answered: Mapping[str, Collection[str]]) -> str:
    if not signatures:
        return "The SavedModel has no signatures, so that no server can call it"
    said = []
    for each in signatures:
        if each.image_input is None or each.name not in answered:
            said.append(f"{each.name} {_refusal(each)}")
        else:
            said.append(f"{each.name} answered neither an image file nor a tf.Example of those given")
    return f"The SavedModel has no signature that takes one image an example: {'; '.join(said)}"


def _refusal(signature: Signature) -> str:
    """Why a signature is not one of an image classifier that can be monitored."""
    inputs = in_words(map(str, signature.inputs))
    if sum(each.pixels is not None for each in signature.inputs) > 1:
        return f"takes several images ({inputs}); what is monitored is a classifier of one image"
    if len(signature.inputs) > 1:
        return f"takes more than an image ({inputs}); what is monitored is a classifier of one image"
    return f"takes {inputs}, not [batch, height, width, 1 or 3] or strings"


def _channels(served: Tensor, feature: Feature) -> int | None:
    """The number of channels that an input says; None where it takes any, or no numbers."""
    if served.flat is None:
        return served.pixels[2] if served.pixels else None
    [size] = feature.sizes if len(feature.sizes) == 1 else [(0, 0)]
    fitting = [channels for channels in (1, 3) if size[0] * size[1] * channels == served.flat]
    if not fitting:
        raise MonitorError(
            f"{served} takes {served.flat:,} numbers an image, and those of `{feature.name}` are of "
            f"{sizes_in_words(feature.sizes) if feature.sizes else 'raw pixels, whose size it does not say'}"
        )
    return fitting[0]
