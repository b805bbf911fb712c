"""Commands about models: what there is, which serve, train them, predict, and what acting on predictions did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from workbench.cli.lakes import StoreOption, open_place
from workbench.cli.show import columns
from workbench.errors import GateFailed, InvalidArgument, ModelError

if TYPE_CHECKING:
    from workbench.bench import Bench
    from workbench.models.manifests import Manifest
    from workbench.models.registry import Registry

models = typer.Typer(no_args_is_help=True, help="Models: train, compare, let serve, predict, measure what it did.")
NameArgument = Annotated[str, typer.Argument(help="engagement, churn, ltv or next_action.")]
DateOption = Annotated[
    str | None, typer.Option("--until", help="First day after the data, YYYY-MM-DD; its end if not given.")
]
_SHOWN: Final = {"engagement": "mae", "churn": "auc", "ltv": "gini", "next_action": "accuracy"}


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.add_typer(models, name="models")


@models.command("list", epilog="Example: workbench models list")
def list_models() -> None:
    """List every version of every model, the newest last; `*` serves, `+` is the challenger, `!` needs you."""
    registry = _bench(None).registry()
    rows = [_row(registry, name, version) for name in registry.names() for version in registry.versions(name)]
    if not rows:
        typer.echo(f"No model in {registry.shelf} yet: `workbench models train`")
        return
    typer.echo(columns(("", "model", "version", "method", "trained until", "days ahead", "score", "data"), rows))


def _row(registry: Registry, name: str, version: str) -> tuple[str, ...]:
    try:
        serves, tried = (registry.turns(name, alias) for alias in ("champion", "challenger"))
    except ModelError as error:
        return "!", name, version, "", "REFUSED", "", str(error), ""
    mark = "*" if serves and serves[-1].version == version else "+" if tried and tried[-1].version == version else ""
    try:
        manifest = registry.manifest(name, version)
    except ModelError as error:
        return mark, name, version, "", "REFUSED", "", str(error)[:60], ""
    return (
        mark,
        name,
        version,
        manifest.method or manifest.kind,
        f"{manifest.trained_until:%Y-%m-%d}",
        str(manifest.horizon_days),
        _score(name, manifest),
        manifest.data_version,
    )


def _score(name: str, manifest: Manifest) -> str:
    metric = _SHOWN.get(name, "")
    return f"{metric} {manifest.metrics[metric]:.3f}" if metric in manifest.metrics else ""


@models.command(epilog="Example: workbench models show churn")
def show(
    name: NameArgument,
    version: Annotated[str | None, typer.Argument(help="Which version; the one that serves if not given.")] = None,
) -> None:
    """Say what a version is, how good it was out of time, and which versions served when and why."""
    registry = _bench(None).registry()
    manifest, files = registry.intact(name, version or registry.resolve(name))
    typer.echo(
        f"{name} {manifest.version}: {manifest.method or manifest.kind}, {manifest.horizon_days} days ahead, "
        f"trained until {manifest.trained_until:%Y-%m-%d %H:%M}, data {manifest.data_version}\n"
        f"{len(manifest.features)} features {manifest.feature_version}, code {manifest.code}; verified: "
        f"{', '.join(files)}"
    )
    typer.echo(columns(("metric", "value"), [(metric, f"{value:.4g}") for metric, value in manifest.metrics.items()]))
    turns = [(f"{turn.at:%Y-%m-%d %H:%M}", turn.version, turn.why[:100]) for turn in registry.turns(name)]
    typer.echo(columns(("served from", "version", "why"), turns))


@models.command(epilog="Example: workbench models diff churn 20261101-0123456789ab 20261122-ba9876543210")
def diff(
    name: NameArgument,
    old: Annotated[str, typer.Argument(help="A version.")],
    new: Annotated[str | None, typer.Argument(help="Another; the one that serves if not given.")] = None,
) -> None:
    """Say in what two versions differ: data, features, code, scores."""
    registry = _bench(None).registry()
    versions = (old, new or registry.resolve(name))
    rows = registry.diff(name, *versions)
    typer.echo(columns(("what", *versions), rows) if rows else "The two do not differ.")


@models.command(epilog="Example: workbench models train churn ltv")
def train(
    names: Annotated[list[str] | None, typer.Argument(help="Which; all if not given.")] = None,
    *,
    until: DateOption = None,
    store: StoreOption = None,
) -> None:
    """Train models, measure them out of time, and let those serve that are better by the margin; 1 if one is unfit."""
    training = _bench(store).train(names, cutoff=until)
    typer.echo(training.reading())
    for decision in training.decisions:
        typer.echo(f"{decision.model} {decision.version} {'serves' if decision.promoted else 'does not serve'}")
    training.gate()


@models.command(epilog="Example: workbench models retrain")
def retrain(
    names: Annotated[list[str] | None, typer.Argument(help="Which; all if not given.")] = None,
    *,
    until: DateOption = None,
    store: StoreOption = None,
) -> None:
    """Train the models that are due: by their schedule, as people changed, or as they became worse."""
    done = _bench(store).retrain(names, cutoff=until)
    for each in done:
        if not each.reasons:
            typer.echo(f"{each.model}: not due")
            continue
        typer.echo(f"{each.model}: {'; '.join(each.reasons)}")
        if each.decision is not None:
            verdict = "serves" if each.decision.promoted else "was not promoted, the champion stays"
            typer.echo(f"  {each.decision.version} {verdict}: {each.decision.why}")
        if each.trouble:
            typer.secho(f"  {each.trouble}", fg="red", err=True)
    if unfit := [each.model for each in done if each.trouble and each.decision is not None]:
        raise GateFailed(f"not fit to serve: {', '.join(unfit)}; the champions stay")


@models.command(epilog="Example: workbench models promote churn 20261122-ba9876543210")
def promote(name: NameArgument, version: Annotated[str, typer.Argument(help="The version that is to serve.")]) -> None:
    """Let a version serve, whatever its scores."""
    registry = _bench(None).registry()
    registry.intact(name, version)
    registry.promote(name, version, why="by hand")
    typer.echo(f"{name} {version} serves")


@models.command(epilog="Example: workbench models rollback churn")
def rollback(name: NameArgument) -> None:
    """Let the version serve again that served before."""
    turn = _bench(None).registry().rollback(name)
    typer.echo(f"{name} {turn.version} serves again")


@models.command(epilog="Example: workbench models predict --until 2026-11-23 --kafka")
def predict(
    *,
    until: DateOption = None,
    kafka: Annotated[bool, typer.Option("--kafka", help="Also tell them on the topic of the settings.")] = False,
    store: StoreOption = None,
) -> None:
    """Predict everybody, keep it in the store under the date, and log what is recommended."""
    from workbench.ingest.queues import open_outlet  # noqa: PLC0415

    bench = _bench(store)
    answer = bench.predict(cutoff=until)
    typer.echo(answer.reading())
    settings = bench.settings.kafka
    outlet = open_outlet(settings, settings.predictions) if kafka else None
    try:
        typer.echo(str(bench.keep_predictions(answer, to=outlet)))
    finally:
        if outlet is not None:
            outlet.close()


@models.command(epilog="Example: workbench models explain u000042 --model ltv")
def explain(
    user_id: Annotated[str, typer.Argument(help="Of whom.")],
    *,
    model: Annotated[str, typer.Option(help="Which model's prediction.")] = "churn",
    until: DateOption = None,
    store: StoreOption = None,
) -> None:
    """Say what is predicted of one person, and what moves it most."""
    predictor = _bench(store).predictor(cutoff=until)
    told = predictor.predict(user_id)
    typer.echo(columns(("prediction", "value"), [(name, str(value)) for name, value in told.items()]))
    moved = predictor.contributions(user_id, model).head(12)
    typer.echo(
        columns(("feature", f"moves {model} by"), [(str(name), f"{value:+.3f}") for name, value in moved.items()])
    )


@models.command(epilog="Example: workbench models drift churn")
def drift(name: NameArgument, *, until: DateOption = None, store: StoreOption = None) -> None:
    """Compare the people of today with those that the champion was trained on."""
    from workbench.models.retrain import drift_of  # noqa: PLC0415

    bench = _bench(store)
    cutoff = None if until is None else bench.features(cutoff=until).cutoff
    table = drift_of(bench.snapshot, bench.registry(), name, cutoff=cutoff, active_days=bench.settings.churn_days)
    rows = [
        (str(row.feature), f"{row.psi:.3f}", str(row.change), f"{row.importance:.1%}")
        for row in table.head(15).itertuples()
    ]
    typer.echo(columns(("feature", "stability index", "change", "importance"), rows))


@models.command(epilog="Example: workbench models raids --platform discord")
def raids(
    *,
    platform: Annotated[
        str | None, typer.Option(help="Where the next raid is to be called; anywhere if not given.")
    ] = None,
    until: DateOption = None,
    store: StoreOption = None,
) -> None:
    """Say why raids succeed, and how to set up the next one; or that there is not enough data."""
    analyzer = _bench(store).raid_analyzer(until=until)
    told = analyzer.recommend_raid_parameters(platform)
    if not told["enough_data"]:
        typer.echo(str(told["reason"]))
        return
    typer.echo(analyzer.success().reading())
    rows = [(name, _told(value)) for name, value in told.items() if name != "enough_data"]
    typer.echo(columns(("recommended", "value (90% interval)"), rows))


def _told(value: object) -> str:
    if isinstance(value, dict) and {"value", "low", "high"} <= value.keys():
        return f"{value['value']:.3g} ({value['low']:.3g} to {value['high']:.3g})"
    if isinstance(value, dict) and "base_xp" in value:
        return f"{value['base_xp']:.0f} XP"
    return "none can be told" if value is None else str(value)


@models.command(epilog="Example: workbench models uplift --until 2026-12-31")
def uplift(
    *,
    days: Annotated[int | None, typer.Option(help="How long people are followed; `churn_days` if not given.")] = None,
    until: DateOption = None,
    store: StoreOption = None,
) -> None:
    """Say what the recommended actions did, beside those who were left alone by chance."""
    if days is not None and days < 1:
        raise InvalidArgument(f"--days is at least 1, not {days}")
    answer = _bench(store).uplift(until=until, horizon_days=days)
    typer.echo(answer.reading())
    typer.echo(answer.frame.to_string(index=False, float_format=lambda number: f"{number:.3f}"))


def _bench(store: str | None) -> Bench:
    from workbench.bench import Bench  # noqa: PLC0415 - loads pandas

    return Bench(open_place(store))
