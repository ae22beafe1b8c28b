# PostgreSQL and Redis of Debian, started the way that the public images are: for tests where no image can be fetched.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN apt-get update -q \
    && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql redis-server \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o postgres -g postgres /var/lib/postgresql/data \
    && install -d -o redis -g redis /data
COPY postgres.sh /usr/local/bin/postgres.sh
