#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Replaces each line of a template that reads @@MODE@@ by what `gen_cli MODE` prints."""
import subprocess
import sys


def main():
    template, generator = sys.argv[1], sys.argv[2]
    with open(template, encoding="utf-8") as f:
        for line in f:
            word = line.strip()
            if word.startswith("@@") and word.endswith("@@"):
                out = subprocess.run([generator, word[2:-2]], check=True, stdout=subprocess.PIPE)
                sys.stdout.write(out.stdout.decode())
            else:
                sys.stdout.write(line)


main()
