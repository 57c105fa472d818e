"""The figures of the report, by stage. Each draws one stored table and computes nothing new."""
