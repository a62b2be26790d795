# Everything sets itself up: `make demo` and `make test` work from a fresh clone.
.PHONY: demo test lint bench docs lock clean

# Nothing of the caller's Python may leak into ours.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

demo: ## run the whole pipeline on this machine with the example application
	@bash scripts/bootstrap.sh
	@.venv/bin/cicd-actions sandbox run --app examples/python-service --scenario ok

test: ## run every layer of tests; parts that cannot be had are skipped with their reason
	@bash scripts/bootstrap.sh
	@.venv/bin/python -m pytest $(PYTEST_ARGS)

lint: ## formatting, types, workflows: what our own CI asks
	@bash scripts/bootstrap.sh
	.venv/bin/black --check --quiet .
	.venv/bin/ruff check --quiet .
	.venv/bin/flake8
	.venv/bin/mypy
	.venv/bin/bandit --quiet --configfile pyproject.toml --recursive src scripts
	.venv/bin/zizmor --quiet --offline --persona auditor --config .github/zizmor.yml .github/workflows workflows-templates action.yml actions
	bash scripts/actionlint.sh
	.venv/bin/python scripts/action_docs.py --check

bench: ## time the parts that have to be fast against what is used elsewhere; BENCH=gitops_edit runs one
	@bash scripts/bootstrap.sh
	@.venv/bin/python benchmarks $(BENCH)

docs: ## write the tables of the READMEs from action.yml
	@bash scripts/bootstrap.sh
	.venv/bin/python scripts/action_docs.py

lock: ## resolve and lock all requirements again, with hashes
	@bash scripts/bootstrap.sh
	bash scripts/lock.sh

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache dist
