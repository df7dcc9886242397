"""The data-driven attribution models: learnt from journeys, written to `marts.source_credit`.

The others are SQL alone (dbt/macros/credits.sql); what both kinds are: dbt/README.md.
"""
