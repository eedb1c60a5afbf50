PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
apt_section = $$(sed -n '/^\# $(1):/,/^\# /{/^\#/!p}' apt.txt)
apt_install = apt-get update -qq && apt-get install -y -qq --no-install-recommends
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable
SOURCES := setup.cfg pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help apt drawing sound browser demo test lint data train train-mini export bench parity bench-index eval torture clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z.-]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

apt:  ## install the build packages of apt.txt where they are missing and may be installed
	@if command -v c++ >/dev/null && $(PYTHON) -c 'import ensurepip, pathlib, sysconfig as s; \
		assert pathlib.Path(s.get_path("include"), "Python.h").exists()' 2>/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		$(apt_install) $(call apt_section,build); \
	else echo "a compiler, $(PYTHON), its headers or its venv module is missing: apt install" $(call apt_section,build) >&2; \
		exit 1; fi

drawing:  ## install the library of apt.txt that draws 3D models where it is missing and may be installed
	@if $(PYTHON) -c 'import ctypes.util as c, sys; sys.exit(c.find_library("OSMesa") is None)'; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then $(apt_install) $(call apt_section,drawing); \
	else echo "the library that draws 3D models is missing: apt install" $(call apt_section,drawing) >&2; \
		exit 1; fi

sound:  ## install the library of apt.txt for microphone and loudspeaker where it is missing and may be installed
	@if test -e /usr/include/portaudio.h; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then $(apt_install) $(call apt_section,sound); \
	else echo "the library for sound is missing: apt install" $(call apt_section,sound) >&2; exit 1; fi

browser:  ## install the browser of apt.txt that the live view is tested in where it is missing and may be installed
	@if command -v chromium >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then $(apt_install) $(call apt_section,browser); \
	else echo "a browser is missing: apt install" $(call apt_section,browser) >&2; exit 1; fi

$(VENV)/core.stamp: $(SOURCES)
	@$(MAKE) --no-print-directory apt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) .
	@touch $@

$(VENV)/speech.stamp: $(VENV)/core.stamp
	$(INSTALL) '.[speech]'
	@touch $@

$(VENV)/train.stamp: $(VENV)/core.stamp
	$(INSTALL) '.[train]'
	@touch $@

$(VENV)/export.stamp: $(VENV)/core.stamp
	$(INSTALL) '.[export]'
	@touch $@

$(VENV)/dev.stamp: $(VENV)/core.stamp
	@$(MAKE) --no-print-directory sound
	$(INSTALL) '.[dev]'
	@touch $@

.venv: $(VENV)/core.stamp  ## make the environment with what a device needs, no torch

demo: $(VENV)/speech.stamp  ## ask shipped photographs and a clip; writes demo/answers.html and demo/glasses.mp4
	$(BIN)/python -m pixsearch.apps.demo --output demo

test: $(VENV)/dev.stamp drawing browser  ## install the dev extras and run all tests
	$(BIN)/python -m pytest

lint: $(VENV)/dev.stamp  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/mypy

data: $(VENV)/train.stamp drawing  ## fetch the pictures and the dictionary that training and eval scenes use, into data/
	$(BIN)/python -c 'from pathlib import Path; from pixsearch.model.data.sources import make_data; make_data(Path("data"))'

train: $(VENV)/train.stamp data  ## train both stages of a small model and cut nano from it; resumes where it stopped
	$(BIN)/pixsearch train stage1 --size small
	$(BIN)/pixsearch train stage2 --size small
	$(BIN)/pixsearch train stage2

train-mini: $(VENV)/export.stamp data  ## train both stages of mini, export and score it; prints its plan, resumes where it stopped
	$(BIN)/python -m pixsearch.apps.recipe --size mini

export: $(VENV)/export.stamp data  ## export the trained model and the everyday pack, and fit its confidence
	$(BIN)/pixsearch model export nano --precision int8 -o edge/bundles/nano-int8
	$(BIN)/python -m pixsearch.apps.everyday runs/nano-stage2 edge/bundles/nano-int8 -o index/packs/everyday.pxpack
	$(BIN)/python -m pixsearch.apps.calibrate edge/bundles/nano-int8

bench: $(VENV)/export.stamp  ## time every stage on this machine beside published networks; fails where one got slower
	$(BIN)/pixsearch model bench --history runs/bench.jsonl --check

parity: $(VENV)/export.stamp data  ## compare the shipped bundle with its float32 twin; writes docs/parity.md
	$(BIN)/python -m pixsearch.apps.parity_report

bench-index: $(VENV)/dev.stamp data  ## a pack's search beside hnswlib, usearch and faiss, at 100,000 and 1,000,000 regions
	$(BIN)/python -m pixsearch.apps.bench_index

eval: $(VENV)/train.stamp data  ## score photographs, held-out scenes, egoqa with its baselines, and the curator's test
	$(BIN)/pixsearch eval photos
	$(BIN)/pixsearch eval scenes
	$(BIN)/pixsearch eval egoqa --ablation
	$(BIN)/pixsearch eval curator

torture: $(VENV)/dev.stamp  ## damage, kill, crowd, attack and fuzz packs some million times; ends with a table
	$(BIN)/python -m pixsearch.apps.torture

clean:  ## remove what the targets made, except data/ and runs/
	rm -rf $(VENV) build dist demo bench *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
