# DeepSight on a CPU, as a user without rights. The root file system may be read-only:
#   docker build -t deepsight .
#   docker run --read-only --tmpfs /tmp -v "$PWD/runs:/runs" -v deepsight-cache:/cache deepsight run
FROM python:3.13-slim

ENV PIP_NO_CACHE_DIR=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NO_ALBUMENTATIONS_UPDATE=1 \
    DEEPSIGHT_CACHE=/cache \
    HF_HOME=/cache/huggingface \
    KERAS_HOME=/cache/keras

WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
# The address of an index with CPU builds of torch; without it the default build is installed.
ARG TORCH_INDEX=""
RUN pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch torchvision \
    && pip install . \
    && useradd --create-home --uid 1000 deepsight \
    && mkdir -p /cache /runs \
    && chown -R deepsight /cache /runs

USER deepsight
WORKDIR /
VOLUME ["/cache", "/runs"]
ENTRYPOINT ["deepsight"]
CMD ["--help"]
