"""The data-driven attribution models: learn from journeys, write to `marts.source_credit`.

The other models are only SQL (dbt/macros/credits.sql). dbt/README.md explains both kinds.
"""
