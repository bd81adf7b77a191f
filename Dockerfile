# One image for every service: `docker run kybern/kybern gateway --address …` runs `python -m kybern.gateway`.
# `make image` builds it, with docker or with buildah.
FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements.lock requirements-dev.lock requirements-uv.lock ./
RUN python3 -m venv /opt/build && /opt/build/bin/pip install -q --require-hashes -r requirements-uv.lock && python3 -m venv --without-pip /opt/kybern \
 && /opt/build/bin/uv pip install -q --python /opt/kybern/bin/python --require-hashes --compile-bytecode -r requirements.lock \
 && /opt/build/bin/uv pip install -q --python /opt/build/bin/python --require-hashes -r requirements-dev.lock
COPY . .
RUN PATH=/opt/build/bin:$PATH python tools/protos.py --force \
 && /opt/build/bin/python -m hatchling build -t wheel \
 && /opt/build/bin/uv pip install -q --python /opt/kybern/bin/python --no-deps --compile-bytecode dist/*.whl

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends python3 libnftables1 conntrack iptables iproute2 runc containerd \
    containernetworking-plugins && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/kybern /opt/kybern
ENV PATH=/opt/kybern/bin:$PATH
ENTRYPOINT ["/bin/sh", "-c", "service=$1; shift; exec python -m kybern.$service \"$@\"", "kybern"]
