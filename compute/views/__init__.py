"""Views of a pass: Strip, Map, statistics, single values, attention patterns and the trace."""
