# syntax=docker/dockerfile:1
#
# docker build -t myna:cpu .                   any x86_64 or ARM machine
# docker build -t myna:cuda --target cuda .    NVIDIA GPU, with NVIDIA's container toolkit on the host
#
# --build-arg EXTRAS=                          without Kokoro and without telling speakers apart
#
# Weights are not part of an image: the first start fetches them into the volume /models/weights.
# The root file system may be read-only; uploads and the like go to /tmp. Custom voices are kept in
# the volume /var/lib/myna/voices.

# Of pyproject.toml's, separated by commas; `otel` is one more.
ARG EXTRAS=kokoro,diarize
ARG PYTHON_IMAGE=python:3.11-slim
# CTranslate2 4 is built for CUDA 12 and cuDNN 9.
ARG CUDA_IMAGE=nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04


FROM ${PYTHON_IMAGE} AS wheel
WORKDIR /src
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY models/*.toml models/
COPY server/myna server/myna
RUN PIP_CONSTRAINT=requirements.lock PIP_BUILD_CONSTRAINT=requirements.lock \
    pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .


FROM ${CUDA_IMAGE} AS cuda
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/myna
ENV PATH=/opt/myna/bin:$PATH
ARG EXTRAS
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    --mount=type=bind,source=requirements.lock,target=/requirements.lock \
    pip install --no-cache-dir --constraint /requirements.lock "$(echo /wheels/*.whl)${EXTRAS:+[${EXTRAS}]}"
# Both packages are the module `onnxruntime`, so one has to go; 1.26 is the last for CUDA 12.
RUN pip uninstall --yes onnxruntime \
    && pip install --no-cache-dir --no-deps onnxruntime-gpu==1.26.0
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp myna \
    && install --directory --owner=myna --group=myna /models/weights /var/lib/myna/voices
ENV HF_HOME=/models/weights/huggingface \
    MYNA_HOST=0.0.0.0 \
    MYNA_VOICES_DIR=/var/lib/myna/voices \
    MYNA_WEIGHTS_DIR=/models/weights \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
LABEL org.opencontainers.image.title="Myna" \
      org.opencontainers.image.description="OpenAI's Audio API on local models; NVIDIA GPU. Myna's own source is Apache-2.0. This image also contains piper-tts and espeak-ng and, with the extra kokoro, phonemizer, which are GPL-3.0-or-later: whoever passes the image on does so under the GPL's terms. NVIDIA's libraries come under NVIDIA's licence." \
      org.opencontainers.image.licenses="Apache-2.0 AND GPL-3.0-or-later"
USER myna
WORKDIR /tmp
VOLUME /models/weights /var/lib/myna/voices
EXPOSE 8000
# The first start fetches weights before it is ready.
HEALTHCHECK --interval=15s --timeout=5s --start-period=15m --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen('http://127.0.0.1:' + os.environ.get('MYNA_PORT', '8000') + '/ready', timeout=4)"]
ENTRYPOINT ["myna"]
CMD ["serve"]


FROM ${PYTHON_IMAGE} AS cpu
RUN python3 -m venv /opt/myna
ENV PATH=/opt/myna/bin:$PATH
ARG EXTRAS
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    --mount=type=bind,source=requirements.lock,target=/requirements.lock \
    pip install --no-cache-dir --constraint /requirements.lock "$(echo /wheels/*.whl)${EXTRAS:+[${EXTRAS}]}"
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp myna \
    && install --directory --owner=myna --group=myna /models/weights /var/lib/myna/voices
ENV HF_HOME=/models/weights/huggingface \
    MYNA_HOST=0.0.0.0 \
    MYNA_VOICES_DIR=/var/lib/myna/voices \
    MYNA_WEIGHTS_DIR=/models/weights \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
LABEL org.opencontainers.image.title="Myna" \
      org.opencontainers.image.description="OpenAI's Audio API on local models. Myna's own source is Apache-2.0. This image also contains piper-tts and espeak-ng and, with the extra kokoro, phonemizer, which are GPL-3.0-or-later: whoever passes the image on does so under the GPL's terms." \
      org.opencontainers.image.licenses="Apache-2.0 AND GPL-3.0-or-later"
USER myna
WORKDIR /tmp
VOLUME /models/weights /var/lib/myna/voices
EXPOSE 8000
# The first start fetches weights before it is ready.
HEALTHCHECK --interval=15s --timeout=5s --start-period=15m --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen('http://127.0.0.1:' + os.environ.get('MYNA_PORT', '8000') + '/ready', timeout=4)"]
ENTRYPOINT ["myna"]
CMD ["serve"]
