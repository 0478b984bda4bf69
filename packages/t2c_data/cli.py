"""`t2c-data`: draft a lexicon, build pairs from a graph, split, report on and export them.

Results go to standard output, everything else to standard error. The commands themselves are in `commands`.
"""

from __future__ import annotations

import os
import sys

from cyclopts import App, CycloptsError

from graphling_io.console import print_status
from t2c_data.commands import build as building
from t2c_data.commands import dataset as pairs
from t2c_data.errors import DataError, DataInputError

app = App(
    name="t2c-data",
    help="Turn a graph into question-Cypher pairs. Exit 0: done, 1: failed, 2: wrong input.",
    version_flags=["--version"],
    result_action="return_value",
)
for command in (
    building.lexicon, building.build, building.recipe,
    pairs.validate, pairs.reword, pairs.split, pairs.stats, pairs.export,
):  # fmt: skip
    app.command(command)


def main() -> None:
    """Run the command line and exit with its status."""
    from t2c_core.errors import InputError, T2CError

    try:
        status = app(exit_on_error=False)
    except CycloptsError:
        status = 2
    except (DataInputError, InputError) as error:
        print_status(f"t2c-data: {error}")
        status = 2
    except (DataError, T2CError) as error:
        print_status(f"t2c-data: {error}")
        status = 1
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - the reader of our output is gone
        status = 1
    sys.exit(status if isinstance(status, int) else 0)
