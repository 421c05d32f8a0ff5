#!/usr/bin/env bash
# A base image for cluster/Dockerfile where no image registry answers: Debian, its Python, and the
# certificates of this machine.   tests/cluster/base_image.sh TAG
set -euo pipefail
docker image inspect "$1" > /dev/null 2>&1 && exit
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mmdebstrap --quiet --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$folder/debian.tar"
docker import "$folder/debian.tar" "$1-debian" > /dev/null
cp /etc/ssl/certs/ca-certificates.crt "$folder/"
rm "$folder/debian.tar"
cat > "$folder/Dockerfile" << EOF
FROM $1-debian
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
RUN useradd --uid 1000 --create-home ray && python3 -m venv /opt/python
ENV PATH=/opt/python/bin:/usr/local/bin:/usr/bin:/bin PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt HOME=/home/ray
EOF
docker build --quiet --tag "$1" "$folder"
