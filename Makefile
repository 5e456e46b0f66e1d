# make            build .venv
# make demo       try the portal out (PORT=8000, DATA_DIR=data)
# make test       every test        ARGS="tests/memory -k erase" for some of them
# make test-valkey   the stores' suite on a real server with valkey-search: VALKEY_URL=valkey://host:6379/0
# make check      lint, types, layers, templates, migrations, production settings
# make bench      measure; needs a quiet machine
# make sbom       write down what a running portal is made of (CycloneDX): sbom.cdx.json
# make audit      look for known vulnerabilities (asks the internet)
# make requirements   resolve the dependencies of pyproject.toml again

PYTHON ?= python3
ARGS ?=
sum = $(shell cksum < requirements/$(1).txt | tr -d ' \t')
BASE := .venv/base-$(call sum,base)
DEV := .venv/dev-$(call sum,dev)
RUN := .venv/bin/python
# For tools that load the settings, but are neither a demo nor production.
AS_TEST := MEMORYPORTAL_TESTING=1
TEMPLATES = $(shell find templates -name '*.html')

.PHONY: .venv demo test test-valkey check bench sbom audit requirements chromium
.DELETE_ON_ERROR:

.venv: $(DEV)

$(BASE) $(DEV):
	@PYTHON="$(PYTHON)" .ci/venv $@

demo: $(BASE)
	@exec $(RUN) manage.py demo --end-with-parent

# In groups, one after the other: a browser's event loop stays in its process, and each group begins with a new server.
GROUP_1 := tests/base tests/browser tests/audit tests/attacks
GROUP_2 := tests/memory tests/erasure tests/mydata tests/support
GROUP_3 = $(filter-out $(GROUP_1) $(GROUP_2) tests/benchmarks,$(patsubst %/__init__.py,%,$(wildcard tests/*/__init__.py)))
PYTEST := $(RUN) -m pytest -n 3

test: $(DEV) chromium
ifeq ($(strip $(ARGS)),)
	$(PYTEST) $(GROUP_1)
	$(PYTEST) $(GROUP_2)
	$(PYTEST) $(GROUP_3) $(wildcard tests/test_*.py)
else
	$(PYTEST) $(ARGS)
endif

# The variable is read here and nowhere else; tests/settings.py takes VALKEY_* out of the environment.
test-valkey: $(DEV)
	@test -n "$$VALKEY_URL" || { echo "Set VALKEY_URL to a server with valkey-search 1.2.1 or newer." >&2; exit 2; }
	@TEST_VALKEY_URL="$$VALKEY_URL" $(RUN) -m pytest tests/stores -p no:xdist -k valkey $(ARGS)

bench: $(DEV)
	BENCH=1 $(RUN) -m pytest tests/benchmarks -p no:xdist -q -s $(ARGS)

check: $(DEV)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(AS_TEST) $(RUN) -m mypy memoryportal
	.venv/bin/lint-imports
	.venv/bin/djade --check --target-version 5.2 $(TEMPLATES)
	$(AS_TEST) $(RUN) manage.py makemigrations --check --dry-run
	@echo "manage.py check --deploy, with the settings of .env.example"
	@unset MEM0_CONFIG MEM0_API_KEY; set -a; . ./.env.example; SECRET_KEY=$$($(RUN) -c 'import secrets; print(secrets.token_urlsafe(50))'); \
	$(RUN) manage.py check --deploy --fail-level WARNING

sbom: $(DEV)
	@$(RUN) .ci/sbom.py > sbom.cdx.json
	@echo "sbom.cdx.json: requirements/base.txt as CycloneDX"

audit: $(DEV)
	.venv/bin/pip-audit --require-hashes --disable-pip -r requirements/base.txt

requirements:
	uv pip compile pyproject.toml --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make requirements" --output-file requirements/base.txt
	uv pip compile pyproject.toml --extra dev --generate-hashes --python-version 3.11 --no-emit-index-url \
		--no-emit-find-links --custom-compile-command "make requirements" --constraint requirements/base.txt \
		--output-file requirements/dev.txt

chromium:
	@command -v chromium > /dev/null || .ci/packages chromium fonts-liberation
