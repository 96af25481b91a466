"""What others take to describe images, run by `benchmarks.throughput` with the Python of their own environment.

    build/image-peers/bin/python benchmarks/image_peers.py IMAGES.npy ROUNDS

Prints one line of JSON: for each of them the microseconds of processor time an image and how many properties it has.

- whylogs tracks images in one profile, which costs less than its `log_image`, a profile for each call.
- deepchecks computes its default properties, by the module that has them: the package around it wants PyTorch.
- Evidently describes no images: its descriptors are of text.
"""

import importlib.util
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from whylogs.core import DatasetProfile
from whylogs.extras.image_metric import init_image_schema


def whylogs(images: Any) -> tuple[Callable[[], Any], int]:
    pictures = [Image.fromarray(image) for image in images]

    def track() -> DatasetProfile:
        profile = DatasetProfile(schema=init_image_schema())
        for picture in pictures:
            profile.track({"image": picture})
        return profile

    columns = track().view().get_column("image").get_metric("image").to_summary_dict()
    return track, len({name.partition("/")[0] for name in columns})


def deepchecks(images: Any) -> tuple[Callable[[], Any], int]:
    package = importlib.util.find_spec("deepchecks")  # of a package at the top, this imports nothing
    path = Path(package.submodule_search_locations[0], "vision", "utils", "image_properties.py")
    spec = importlib.util.spec_from_file_location("image_properties", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    batch, properties = list(images), module.default_image_properties
    return lambda: [each["method"](batch) for each in properties], len(properties)


def main(path: str, rounds: str) -> None:
    images = np.load(path)
    found = {}
    for peer in (whylogs, deepchecks):
        work, properties = peer(images)
        best = math.inf
        for _ in range(int(rounds)):
            began = time.process_time()
            work()
            best = min(best, time.process_time() - began)
        found[peer.__name__] = {"microseconds": best / len(images) * 1e6, "properties": properties}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
