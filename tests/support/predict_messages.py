"""A request of Predict over gRPC, and its answer, as TensorFlow Serving's own messages."""

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

IMAGES = np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1)


def predict_request(**model):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    for name, value in model.items():
        setattr(request.model_spec, name, value)
    request.inputs["image"].CopyFrom(tf.make_tensor_proto(IMAGES))
    return request


def predict_response(version=7):
    response = predict_pb2.PredictResponse()
    response.model_spec.name = "m"
    response.model_spec.version.value = version
    response.outputs["probabilities"].CopyFrom(tf.make_tensor_proto([[0.25, 0.75], [0.5, 0.5]]))
    return response
