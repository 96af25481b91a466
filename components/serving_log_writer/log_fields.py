"""Names that the writer and the reader of serving logs share."""

# A `PredictionLog` has no field for the request's id, so it travels with the inputs: in a Predict request as a string
# tensor of this name, of shape [] or [B]; in a Classify request as a bytes feature of this name in the context of
# `example_list_with_context`.
REQUEST_ID = "log/request_id"
# Likewise who sent the request, of which the reader takes one example with `one_example_per: client`.
CLIENT_ID = "log/client_id"
