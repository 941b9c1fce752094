#!/usr/bin/env bash
# One would guess: importing Gradio, or a module that defines a component of one's own, reads source and writes
# nothing but byte code.
# What happens: whenever a component's class is made, Gradio parses the source file that it is in, renders a type
# stub from it, and compares or writes it as a `.pyi` file beside that source, which may be one's own. So each
# `import gradio` parses all its components again, also where all stubs are there already.
# Version: gradio 6.31.0, Python 3.11. Source: gradio/component_meta.py of that version, and what is counted below.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check gradio==6.31.0
cat >"$folder/mine.py" <<'PYTHON'
import gradio


class Mine(gradio.HTML):
    def example_value(self):
        return ""
PYTHON
cd "$folder"
"$folder/venv/bin/python" -c "import mine"
echo "beside our own source: $(ls mine.pyi) ($(wc -l <mine.pyi) lines)"
grep -q "class Mine" mine.pyi
"$folder/venv/bin/python" - <<'PYTHON'
import ast
import time

parse, parsed = ast.parse, []


def counting(source, *arguments, **options):
    parsed.append(len(source))
    return parse(source, *arguments, **options)


ast.parse = counting
begin = time.process_time()
import gradio

seconds = time.process_time() - begin
print("gradio", gradio.__version__)
print(f"one import: {seconds:.1f} s, {len(parsed)} sources parsed, {sum(parsed):,} characters")
assert len(parsed) > 100
PYTHON
