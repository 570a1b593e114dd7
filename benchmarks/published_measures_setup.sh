#!/bin/sh
# Makes the environment in which benchmarks/published_measures.py runs: sh published_measures_setup.sh FOLDER
#
# Never a dependency. uqlm wants older releases of numpy and transformers than lm-polygraph brings, and pip did not find
# what suits both within ten minutes; so uqlm and selfcheckgpt come alone, and of them only modules are loaded that need
# no more than lm-polygraph's dependencies.
set -eu
folder=${1:?usage: published_measures_setup.sh FOLDER}
"${PYTHON:-python3}" -m venv "$folder"
pip() { "$folder/bin/python" -m pip --disable-pip-version-check install --quiet "$@"; }
pip torch==2.13.0
pip lm-polygraph
pip --no-deps uqlm selfcheckgpt
echo "now: $folder/bin/python -m benchmarks.published_measures"
