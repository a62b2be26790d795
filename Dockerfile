# The image of the Docker-based actions (notify, gitops-tag-update).
#
# It lies at the root of the repository although the actions lie in actions/<slug>/: the runner takes the folder of the
# Dockerfile as the context of the build, and what is built in (src/, requirements/) is here. Their action.yml files
# name it as `image: ../../Dockerfile`.
#
# An index of linux/amd64 and linux/arm64 (and others); another base can be given with --build-arg PYTHON_IMAGE=...
ARG PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b
FROM ${PYTHON_IMAGE}

# git writes to GitOps repositories outside GitHub, over HTTPS or SSH. Its version is left to the base's Debian release,
# so that security updates come in.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git openssh-client \
    && rm -rf /var/lib/apt/lists/*

# An environment of its own, so that the path is the same in every base with Python 3.11.
RUN ["python", "-m", "venv", "/opt/cicd-actions"]
COPY requirements/runtime.txt /opt/cicd-actions/requirements.txt
RUN ["/opt/cicd-actions/bin/pip", "install", "--no-cache-dir", "--disable-pip-version-check", "--require-hashes", \
     "--only-binary=:all:", "--requirement", "/opt/cicd-actions/requirements.txt"]
COPY src/cicd_actions /opt/cicd-actions/lib/python3.11/site-packages/cicd_actions

# The runner mounts its own folders with its own owners into the container, so GitHub asks for root here.
# -I (which implies -P): nothing is imported from the workspace, where the container starts, or by PYTHON* variables.
ENTRYPOINT ["/opt/cicd-actions/bin/python", "-I", "-m", "cicd_actions"]
