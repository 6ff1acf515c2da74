"""Asks Storm about chains in PRISM's language: storm.py QUESTIONS ANSWERS.

QUESTIONS is a list of [file, formula, exact] in JSON, ANSWERS becomes a list of numbers. Where
it is exact, Storm computes with fractions; otherwise it leaves out less than 1e-13.
"""

import json
import sys

import stormpy

# Once: Storm refuses an option that it was given twice.
stormpy.set_settings(["--timebounded:precision", "1e-13"])


def answer(file, formula, exact):
    program = stormpy.parse_prism_program(file, prism_compat=True)
    asked = stormpy.parse_properties(formula, program)
    options = stormpy.BuilderOptions([each.raw_formula for each in asked])
    if exact:
        model = stormpy.build_sparse_exact_model_with_options(program, options)
    else:
        model = stormpy.build_sparse_model_with_options(program, options)
    found = stormpy.model_checking(model, asked[0])
    return float(found.at(model.initial_states[0]))


with open(sys.argv[1]) as questions:
    answers = [answer(*question) for question in json.load(questions)]
with open(sys.argv[2], "w") as file:
    json.dump(answers, file)
