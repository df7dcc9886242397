"""Operate a running lakehouse: status, audit and scheduled housekeeping."""
