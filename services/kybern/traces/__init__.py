"""The trace service: receives spans by OTLP, keeps recent traces, sends them on."""
