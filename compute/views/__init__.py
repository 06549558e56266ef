"""What people see of a pass: Strip, Map, statistics, single values, attention patterns, the trace."""
