"""The ids of the catalogue, by verdict, as it gives them: what the book must hold, no more and no less."""

from __future__ import annotations

VERDICTS: dict[str, tuple[str, ...]] = {
    verdict: tuple(names.split())
    for verdict, names in {
        "RIGHT": """
            A1.1 A1.2 A1.3 A1.4 A1.7a A2.1 A2.2 A2.3a A2.3e A2.4a A2.4d A3.1 A3.2 A3.3 A3.5 A4.1 A4.2 A4.3a
            A4.3b A4.3c A4.3d A5.1a A5.1b A5.2a A5.2e A5.3a A5.3c A5.3d A5.3g A5.4a A5.4c A5.5a A5.6a A5.6e
            A5.6f B1a B2b B3c B4 B6a1 B6a2 B6b2 B6b5 C2a C2b C2c C3 C4 C6a1 C6a2 C6a3 C6b3 C6b4 C6b5 D1a D1b
            D1c D2e D2f D2h D3a D3e D3i D3j D4a D4b D4c D4d E4 E6 E7 E8 E9 E11 E12 E15a E15c E16 E18b E19
            E20 E21 E22 E23 E24a E24b E26 E27 E28 E30
        """,
        "OCR": "A2.4b A2.4c B2a B6a3 B6a4 B6b3 B6b6 C2d E2 E3 E18a",
        "CONV": "D2c D2i D2j E10 E17",
        "WRONG": """
            A1.5 A1.6 A1.7b A1.7c A2.3b A2.3c A2.3d A3.4 A5.2b A5.2c A5.2d A5.3b A5.3e A5.3f A5.4b A5.5b
            A5.5c A5.5d A5.5e A5.6b A5.6c A5.6d B1b B1c B2c B2d B3a B3b B6b1 B6b4 C1a C1b C6b1 C6b2 D2a D2b
            D2d D2g D3b D3c D3d D3f D3g D3h D3k D4e E1 E5 E13 E14 E15b E18c E18d E24c E25 E29
        """,
        "MISSING": "B5 C5 E26b E31",
        "IMPLIED": "A3.6 A5.7 A5.8 B6b7",
    }.items()
}
