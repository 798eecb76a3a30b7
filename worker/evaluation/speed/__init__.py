"""How long whole frames take, stage by stage, beside what the machine could do."""
