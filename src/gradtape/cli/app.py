"""The command line itself: options, help texts, exit statuses."""

from __future__ import annotations

from typing import Any

import click

from gradtape._version import __version__

from .problems import Refusal


class Refused(click.ClickException):
    """Said in one line, with exit status 2, before anything was run."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo(f"gradtape: {self.message}", err=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "--version", prog_name="gradtape", message="%(prog)s %(version)s")
def app() -> None:
    """TensorFlow 2's automatic differentiation as a small, fast package.

    In a program of your own: import gradtape as tf
    """


class RunCommand(click.Command):
    """Leaves what follows a script's name to the script; a notebook's options may follow it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.allow_interspersed_args = False
        values, _, _ = self.make_parser(ctx).parse_args(list(args))
        file = values.get("file")
        if isinstance(file, str):
            if file.startswith("-"):  # options that are not ours go to the script, but only from behind its name
                raise click.NoSuchOption(file, ctx=ctx)
            ctx.allow_interspersed_args = is_notebook(file)
        return super().parse_args(ctx, args)


def is_notebook(file: str) -> bool:
    """Whether FILE is run cell by cell."""
    return file.lower().endswith(".ipynb")


@app.command(
    cls=RunCommand,
    context_settings={"ignore_unknown_options": True},
    short_help="Run a script or notebook written for TensorFlow.",
)
@click.argument("file")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.option("--save", metavar="OUT.ipynb", help="Write the executed notebook, with its outputs, to this file.")
@click.option("--keep-going", is_flag=True, help="After an error in a cell, run the cells that follow it.")
@click.option("--full-traceback", is_flag=True, help="Show gradtape's own lines in tracebacks, too.")
@click.option(
    "--as",
    "module",
    metavar="MODULE",
    default="gradtape",
    help="The module that takes tensorflow's place; `--as tensorflow` changes nothing, for comparison.",
)
def run(
    file: str, args: tuple[str, ...], save: str | None, keep_going: bool, full_traceback: bool, module: str
) -> None:
    """Run FILE, a script or a notebook (.ipynb) written for `import tensorflow as tf`, on gradtape.

    FILE itself and the modules in its folder get gradtape where they import tensorflow; libraries do not.
    Nothing on disk is changed.

    A script gets what follows its name as its own arguments, so options of this command stand before it. A
    notebook runs in its own folder; the output of each cell is printed as it comes, and with --save kept.
    Shell commands (!...) and magics that are no more than set-up are left out, with a word where that may
    matter.

    The exit status is the script's own; for a notebook 1 when a cell failed, and 2 when FILE cannot be read
    or OUT.ipynb not be written, which is found out before anything runs.
    """
    try:
        if is_notebook(file):
            from .kernel import run_notebook

            status = run_notebook(
                file, args, save=save, keep_going=keep_going, module=module, full_traceback=full_traceback
            )
        elif save or keep_going:
            raise Refusal(f"{'--save' if save else '--keep-going'} is for notebooks, and {file} is not one (.ipynb)")
        else:
            from .script import run_script

            status = run_script(file, args, module=module, full_traceback=full_traceback)
    except Refusal as refusal:
        raise Refused(str(refusal)) from None
    raise SystemExit(status)


@app.command(context_settings={"ignore_unknown_options": True}, short_help="Draw the gradient that a program takes.")
@click.argument("file")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--out",
    metavar="PAGE.html",
    help="Write the page to this file (or the graph to .svg or .png); without it, a page is opened in the browser.",
)
@click.option(
    "--gradient",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Which of the program's gradients; the first by default.",
)
@click.option("--full-traceback", is_flag=True, help="Show gradtape's own lines in tracebacks, too.")
def view(file: str, args: tuple[str, ...], out: str | None, gradient: int, full_traceback: bool) -> None:
    """Run FILE, a script or a notebook, up to its first gradient, and draw what that was computed from.

    The picture is one page that works offline. It steps through the forward and the backward pass and shows
    values, local derivatives and adjoints beside the lines of the program. Functions under tf.function run as
    plain Python.

    The options of this command stand before FILE, those of the program behind it.
    """
    from .view import picture_of, written

    try:
        picture = picture_of(file, args, gradient, full_traceback)
        page = written(picture, out) if out else picture.open()
    except Refusal as refusal:
        raise Refused(str(refusal)) from None
    except OSError as error:
        raise Refused(str(error)) from None
    click.echo(f"{len(picture.scene['nodes'])} nodes, {len(picture.scene['steps'])} steps: {page}")


@app.command(short_help="Train a small network on California housing.")
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the training data.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Rows in a mini-batch.")
@click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True), help="Step size of the descent.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder for the curves and the weights.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of everything that is random.")
@click.option("--quiet", is_flag=True, help="No progress bar and no line for each epoch.")
def demo(**options: Any) -> None:
    """Train an 8-128-1 network on California housing: a hand-written loop over GradientTape, then Keras's fit.

    The data comes through scikit-learn; where it cannot be downloaded, scikit-learn's bundled diabetes data
    is used, and that is said. Prints training and validation error for each epoch, and at the end the error
    of linear least squares.
    """
    from gradtape.demo import main

    # What was not given stays as main has it.
    given = {name: value for name, value in options.items() if value is not None and value is not False}
    try:
        main(**given)
    except (
        ModuleNotFoundError,
        OSError,
    ) as error:  # an extra that is missing, a folder that cannot be written
        raise Refused(str(error)) from None
    except FloatingPointError as error:  # the learning rate was too high
        raise click.ClickException(str(error)) from None


@app.command("compare", short_help="Differentiate a function at a point in all ways, side by side.")
@click.argument("what", metavar="FILE_OR_FUNCTION")
@click.option("--at", required=True, metavar="POINT", help='The arguments, as in "1.0,2.0"; vectors as in "[1,2],3".')
@click.option("--name", help="The function in FILE; f, or the only one there is.")
@click.option("--order", type=click.IntRange(1, 2), default=1, show_default=True, help="2 compares second derivatives.")
@click.option(
    "--dtype", type=click.Choice(["float64", "float32"]), help="By default the first that the function takes."
)
@click.option("--plot", metavar="FILE.png", help="Draw the errors against the step size; .svg and .pdf, too.")
def compare_command(what: str, at: str, name: str | None, order: int, dtype: str | None, plot: str | None) -> None:
    """Differentiate one function at one point in all ways that apply, and show values, errors, work and time.

    FILE_OR_FUNCTION is a Python file with a function f, written for gradtape or TensorFlow; or a function by
    its module and name, such as math:gamma; or the function itself, as in 'lambda x: tf.sin(x) * x'. The
    function gives one number.

    The ways are the tape, forward mode, the symbolic derivative, the compiled tape, the complex step,
    Richardson's extrapolation, scipy.differentiate, central and forward differences. Errors are relative to
    the largest derivative, against the median of the ways that are exact but for rounding.
    """
    from .compare import run_compare

    try:
        click.echo(run_compare(what, at, name=name, order=order, dtype=dtype, plot=plot))
    except Refusal as refusal:
        raise Refused(str(refusal)) from None


@app.command(short_help="Describe this installation.")
def info() -> None:
    """Print versions, the processor's features, and the optional packages that are here."""
    from .info import lines

    click.echo("\n".join(lines()))
