"""What a component takes for many images: processor time, and the most memory that it ever has.

    python -m benchmarks.scale.components describe --images 50000
    python -m benchmarks.scale.components convert --images 10000 --a-request 10000    # one request of 10,000
    python -m benchmarks.scale.components convert --images 50000 --beam-runner multi --beam-args=--direct_num_workers=2

The images are made, 32 x 32 in colour, no two alike, and stay in build/scale; what is measured runs in a process of its
own. What the process takes before the component starts, its imports, is told apart. With workers of their own the
memory is that of the largest process, and their imports count as the component's.
"""

import argparse
import os
import subprocess
import sys

from benchmarks.scale.made import COMPONENTS, data_for


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("component", choices=COMPONENTS)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--a-request", type=int, default=1, metavar="IMAGES", help="of the logs")
    parser.add_argument("--beam-runner", default="local")
    parser.add_argument("--beam-args", action="append", default=[], metavar="OPTION")
    told = parser.parse_args()
    data = data_for(told.component, told.images, told.a_request)
    arguments = [told.component, str(data), str(told.images), told.beam_runner, *told.beam_args]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-m", "benchmarks.scale.measured", *arguments], env=quiet, check=True)


if __name__ == "__main__":
    main()
