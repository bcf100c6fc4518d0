"""What `quality` looks for: the evidence of one element, and one function a finding. Pure."""
