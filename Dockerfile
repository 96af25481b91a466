# The image that every step of a compiled pipeline runs in, on Kubeflow Pipelines and on Vertex AI (docs/kubeflow.md).
#   docker build -t model-monitor .
# BASE is any image with a Python 3.10 and Debian's packages; where no registry of images is in reach,
# requirements/image.py makes one of local files. Kept to what every builder knows: no mounts, no syntax line.
ARG BASE=python:3.10-slim-bookworm

# What the requirements follow from, and nothing that changes more often.
FROM ${BASE} AS project-table
COPY pyproject.toml /all/
RUN mkdir /table && sed '/^\[tool/,$d' /all/pyproject.toml > /table/pyproject.toml

FROM ${BASE} AS requirements
# Two of the locked packages come as C and C++ sources; the compilers stay in this stage.
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements/uv.txt requirements/
RUN python3 -m venv /uv && /uv/bin/pip install -q --no-cache-dir --require-hashes -r requirements/uv.txt
COPY requirements/tfx-1.16.txt requirements/
COPY --from=project-table /table/pyproject.toml ./
# Extras of pyproject.toml, separated by blanks. What is not in the lock file, by version and hash, is refused. The C++
# headers of TensorFlow, 400 MB, are for who compiles against it. A busy machine may take minutes to compile one file.
ARG MODEL_MONITOR_EXTRAS=kfp
RUN /uv/bin/uv venv -q --python python3 /opt/model-monitor && \
    UV_COMPILE_BYTECODE_TIMEOUT=900 /uv/bin/uv pip install -q --no-cache --python /opt/model-monitor \
      --compile-bytecode --require-hashes --constraint requirements/tfx-1.16.txt -r pyproject.toml $(printf -- '--extra %s ' ${MODEL_MONITOR_EXTRAS}) && \
    rm -r /opt/model-monitor/lib/python3.*/site-packages/tensorflow/include

FROM requirements AS project
COPY pyproject.toml README.md ./
COPY schemas schemas
COPY components components
COPY pipelines pipelines
COPY model_monitor model_monitor
RUN /opt/model-monitor/bin/pip wheel -q --no-deps --no-build-isolation --no-cache-dir --wheel-dir /wheels .

FROM ${BASE}
RUN useradd --uid 1000 --create-home monitor
# A layer of its own, gigabytes large, which stays the same as long as the requirements do.
COPY --from=requirements /opt/model-monitor /opt/model-monitor
COPY --from=project /wheels /wheels
RUN /opt/model-monitor/bin/pip install -q --no-deps --no-index --no-cache-dir /wheels/*.whl
ENV PATH=/opt/model-monitor/bin:$PATH PYTHONUNBUFFERED=1 TF_CPP_MIN_LOG_LEVEL=2
USER 1000
WORKDIR /home/monitor
# The pixel kernels are compiled here, for every processor with AVX2, and not by each step for its own: six seconds.
ENV NUMBA_CPU_NAME=x86-64-v3 NUMBA_CPU_FEATURES=+avx2 NUMBA_CACHE_DIR=/home/monitor/kernels
RUN python -c "import numpy; from components.image_statistics_gen import compiled_pixels; \
    compiled_pixels.measure(numpy.zeros((1, 8, 8, 3), numpy.uint8))"
