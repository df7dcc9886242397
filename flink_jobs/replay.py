"""Replay: the job over what the topics hold now, from their beginning to its end.

The same SQL as the running job's, as a bounded job, for tests and benchmarks; in Flink's own Python
environment. Where it writes is up to the settings, and nothing protects tables that have rows: they
get every row a second time.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from configuration.environment import flink_environment
from configuration.secrets import load_secrets
from configuration.settings import Settings
from flink_jobs.rendering import SQL_FOLDER, Statement, names_used, render_folder
from flink_jobs.submission import (
    java_errors_explained,
    job_configuration,
    plan_job,
    sql_variables,
)

JOB_NAME = "replay"


def replay(
    settings: Settings,
    jar: Path,
    options: Mapping[str, str],
    folder: Path = SQL_FOLDER,
    is_wanted: Callable[[Statement], bool] = lambda _: True,
) -> str:
    """Run to the end of the topics; returns the job's id.

    Args:
        settings: which topics, which tables, and the rules.
        jar: what flink_jobs.build made.
        options: of Flink's, over the job's own.
        folder: another job's SQL files, to be compared with ours.
        is_wanted: leaves statements out.

    Raises:
        SubmissionError: Flink refuses the job, or it failed.
    """
    environment = flink_environment(settings, load_secrets(settings))
    own = job_configuration(settings, jar, restore_point=None)
    if settings.pipeline.flink.parallelism > 1:
        # One that came between the ends of two tasks would lose the rows of one of them:
        # docs/decisions/0021-no-checkpoints-where-tasks-end-apart.md.
        del own["execution.checkpointing.interval"]
    configuration = {
        **own,
        "execution.attached": "true",
        # A fault is the end: nothing was promised yet, and the next try begins anew.
        "restart-strategy.type": "none",
        **options,
    }
    variables = sql_variables(settings.pipeline, environment, is_bounded=True)
    used = names_used(folder)
    statements = render_folder({name: variables[name] for name in used}, folder)
    with java_errors_explained():
        job = plan_job(configuration, list(filter(is_wanted, statements)))
        return str(job.execute(JOB_NAME).get_job_id())
