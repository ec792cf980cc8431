# Everything a fresh Debian needs beyond this: make, python3 (3.11 or later) and a network.
#
#   make run      the server with an example site; the address to open is printed
#   make test     all tests; what CI runs
#   make lint     what the tests do not see: layout, types
#   make bench    how fast we are against bare servers on this machine
#   make bench-attribution  how often the right visit is found, against the best possible
#   make screenshots  the README's pictures anew, from demo data

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON := $(firstword $(shell command -v python3.11 python3.12 python3.13 python3.14 python3))
BIN := .venv/bin
# A stamp tells that its work is done, and for which folder: commands in an environment that
# was moved must be made anew.
PLACE := $(shell pwd | cksum | cut -d' ' -f1)
ENVIRONMENT := .venv/.environment-$(PLACE)
PACKAGES := .venv/.packages-$(PLACE)
ASSETS := .venv/.assets-$(PLACE)

# Runs what needs the machine's administrator: as root, else by sudo if it asks nothing.
define AS_ROOT
as_root() { \
	if [ "$$(id -u)" = 0 ]; then "$$@"; \
	elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo -n "$$@"; \
	else return 1; fi; \
}; \
apt_install() { \
	command -v apt-get >/dev/null || return 1; \
	as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q=2 >/dev/null || return 1; \
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -q=2 -y --no-install-recommends "$$@" >/dev/null 2>&1; \
};
endef

.PHONY: help install run test bench bench-attribution screenshots lint browser clean

help:
	@sed -n 's/^#   //p' Makefile

install: $(ASSETS)

$(ENVIRONMENT):
	@$(AS_ROOT) \
	if [ -z "$(PYTHON)" ]; then \
		echo "Python 3.11 or later is needed: apt-get install python3 python3-venv" >&2; exit 1; \
	fi; \
	if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
		echo "Python 3.11 or later is needed, this is $$($(PYTHON) --version)" >&2; exit 1; \
	fi; \
	version=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "Installing python$$version-venv."; \
		apt_install "python$$version-venv" || { \
			echo "Virtual environments are missing: apt-get install python3-venv" >&2; exit 1; }; \
	fi; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		echo "Making the virtual environment .venv."; \
		$(PYTHON) -m venv --clear .venv; \
	fi
	@touch $@

$(PACKAGES): $(ENVIRONMENT) pyproject.toml
	@echo "Installing the packages that pyproject.toml names."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--editable '.[dev]'
	@touch $@

$(ASSETS): $(PACKAGES) package.json web/snippet_build.py $(wildcard web/snippet/*)
	@echo "Making the page assets."
	@$(BIN)/python -m web.snippet_build
	@touch $@

run: install
	@exec $(BIN)/skvoz run

# Tests wait more than they compute: twice as many workers as two cores keep those busy.
test: install browser
	@exec $(BIN)/python -m pytest --numprocesses 4 --dist loadgroup

# The tests of the pages need a real browser.
browser:
	@$(AS_ROOT) \
	if ! command -v chromium chromium-browser google-chrome >/dev/null; then \
		echo "Installing Chromium for the tests of the pages."; \
		apt_install chromium || echo "Chromium is missing and cannot be installed from" \
			"here: the tests of the pages will fail. As root: apt-get install chromium" >&2; \
	fi

bench: install
	@exec $(BIN)/python -m tests.benchmarks

bench-attribution: install
	@exec $(BIN)/python -m tests.benchmarks.attribution

screenshots: install browser
	@exec $(BIN)/python tests/screenshots.py

lint: install
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/python -m mypy

clean:
	rm -rf .venv node_modules build web/static/vendor web/static/snippet *.egg-info
