"""A server of gRPC that answers every method as a test says."""

from concurrent import futures

import grpc

OPTIONS = (("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))


class Server(grpc.GenericRpcHandler):
    """Answers every method as bytes, as a test says, and keeps requests and metadata."""

    def __init__(self, port=0, options=()):
        self.answers, self.requests, self.metadata, self.left = {}, {}, {}, {}
        self.server = grpc.server(futures.ThreadPoolExecutor(8), handlers=(self,), options=(*OPTIONS, *options))
        self.port = self.server.add_insecure_port(f"127.0.0.1:{port}")
        self.target = f"127.0.0.1:{self.port}"
        self.server.start()

    def service(self, details):
        def answer(requests, context):
            self.metadata[details.method] = dict(context.invocation_metadata())
            self.left[details.method] = context.time_remaining()
            told = self.answers[details.method]
            if isinstance(told, bytes):
                self.requests[details.method] = next(requests)
                return iter([told])
            return told(requests, context)

        return grpc.stream_stream_rpc_method_handler(answer)
