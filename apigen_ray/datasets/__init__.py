"""Data sets: the row format of xLAM, data made elsewhere, and the export to trainers' formats."""
