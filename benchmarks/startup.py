"""How fast the command answers: beside a bare `import typer`, kubectl and terraform.

python benchmarks/startup.py [ROUNDS]
"""

from __future__ import annotations

import shutil
import sys

from timing import CBCTL, HEADER, PYTHON, Subject, alternate


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    words = {"_CBCTL_COMPLETE": "complete_bash", "COMP_WORDS": "cbctl de", "COMP_CWORD": "1"}
    subjects = [
        Subject("python -c 'import typer'", [PYTHON, "-c", "import typer"]),
        Subject("python -c pass", [PYTHON, "-c", "pass"]),
        Subject("cbctl --help", [CBCTL, "--help"]),
        Subject("cbctl --version", [CBCTL, "--version"]),
        Subject("cbctl, completing `de`", [CBCTL], words),
    ]
    for peer in (["kubectl", "--help"], ["terraform", "-help"]):
        if shutil.which(peer[0]):
            subjects.append(Subject(" ".join(peer), peer))
        else:
            print(f"{peer[0]} is not on PATH: left out")
    alternate(subjects, rounds)
    print(HEADER)
    for subject in subjects:
        print(subject.row(subjects[0].median))


if __name__ == "__main__":
    main()
