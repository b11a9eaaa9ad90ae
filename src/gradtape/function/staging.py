def convert_control_flow(f): return f
