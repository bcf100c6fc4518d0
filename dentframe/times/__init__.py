"""Instants, ranges, calendar periods and schedules on local clocks."""
