"""Replay: run the job over the messages that the topics hold now, from first to last.

It is the running job's SQL as a bounded job, for tests and benchmarks. It needs Flink's own Python
environment. The settings say where it writes. Nothing protects tables that already have the rows:
they get every row a second time.
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
    """Run the job to the end of the topics and return its id.

    Args:
        settings: which topics and tables, and the rules.
        jar: the jar that flink_jobs.build makes.
        options: Flink options that override the job's own.
        folder: SQL files; another folder is another job, to compare with ours.
        is_wanted: whether to run a statement.

    Raises:
        SubmissionError: Flink refused the job, or the job failed.
        RenderingError: a SQL file's name, or a `$` in it, is malformed.
    """
    environment = flink_environment(settings, load_secrets(settings))
    own = job_configuration(settings, jar, restore_point=None)
    if settings.pipeline.flink.parallelism > 1:
        # A checkpoint between the ends of two tasks would lose the rows of one of them:
        # docs/decisions/0021-no-checkpoints-where-tasks-end-apart.md.
        del own["execution.checkpointing.interval"]
    configuration = {
        **own,
        "execution.attached": "true",
        # A fault ends the replay: it promises nothing before its end, and the next try starts over.
        "restart-strategy.type": "none",
        **options,
    }
    variables = sql_variables(settings.pipeline, environment, is_bounded=True)
    used = names_used(folder) & variables.keys()  # rendering names the unknown ones
    statements = render_folder({name: variables[name] for name in used}, folder)
    with java_errors_explained():
        job = plan_job(configuration, list(filter(is_wanted, statements)))
        return str(job.execute(JOB_NAME).get_job_id())
