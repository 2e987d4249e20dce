# `make book` and `make test` do everything from a fresh clone; they need Python 3.11-3.13, make and git.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# An installed uv serves; otherwise one is put into .tools by pip.
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
READY := $(VENV)/.ready

# Kernels and workers import PyTorch many times: without bytecode each of them would compile its sources anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help book site.zip picture launchable test lint format lock serve clean

help: ## list the commands
	@grep -E '^[a-z.]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z.]+):.*## /\1\t/' | expand -t 10

book: $(READY) ## build the study as a website from the simulated cohort
	@$(BIN)/ethnicmer build

site.zip: book ## the website as one file, to hand on or to put on any web server
	@$(BIN)/python -c 'import shutil; shutil.make_archive("site", "zip", "_build/html")'
	@echo "the site as one file: $@"

picture: book ## renew the picture of README and of links to the site: the landing page's figure
	@$(BIN)/python tools/picture.py

launchable: book ## push the notebooks as they were run to the branch that Binder and Colab open
	@(cd _build/html/_sources && tar cf - $$(find book -name '*.ipynb')) | tar xf -
	@git add -f $$(find book -name '*.ipynb') && git -c user.name=build -c user.email=build@localhost commit -q -m "Notebooks as the book ran them"
	@git push -q -f origin HEAD:notebooks

test: $(READY) ## run the tests
	@ETHNICMER_TEST_WORKSPACE=_build/tests $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(READY) ## check style and which room uses which
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

format: $(READY) ## repair style
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

serve: book ## build, then show the site at localhost:8000
	@$(BIN)/python -m http.server --directory _build/html --bind 127.0.0.1 8000

lock: $(READY) ## resolve the dependencies anew: requirements.lock and environment.yml
	@$(BIN)/python tools/lock.py $(UV)

clean: ## remove everything that was computed (not the environment)
	@rm -rf _build

$(READY): requirements.lock pyproject.toml | $(UV)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || \
	  { echo "error: $(PYTHON) is not Python 3.11, 3.12 or 3.13; try make PYTHON=python3.12"; exit 1; }
	@echo "installing into $(VENV) (several GB the first time, PyTorch above all)"
	@$(UV) venv --quiet --allow-existing --no-python-downloads --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV)
	@VIRTUAL_ENV=$(VENV) $(UV) pip sync --quiet --require-hashes requirements.lock
	@VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.tools/bin/uv:
	@$(PYTHON) -m venv .tools || { echo "error: $(PYTHON) has no venv; on Debian: apt install python3-venv"; exit 1; }
	@.tools/bin/python -m pip install --quiet "uv>=0.9"
