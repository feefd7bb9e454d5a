"""The words of worth: what each figure is called, its formula in symbols, and what the symbols mean."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _

from helpdesk.errors import Words

#: By the formula's stable name. Symbols need no language.
FORMULA: Mapping[str, str] = {
    "value.historic": "Σ margin − acquisition − service",
    "value.lifetime.after_renewal": "m·r ÷ (1 + d − r) − acquisition",
    "value.to_come": "Σ (E[Y(t)] − E[Y(t−13)]) · p·(γ + (x+1)·z̄) ÷ (p·(x+1) + q − 1) · margin ÷ (1 + d)^(t/52)",
    "value.p_alive": "1 ÷ (1 + a ÷ (b + x − 1) · ((α + T) ÷ (α + tₓ))^(r + x))",
    "value.service": "Σ seconds ÷ 60 · cost",
    "value.tier": "periods ≥ regular; margin ≥ key",
    "value.paying": "paid at once ÷ paid",
    "health.logistic": "100 ÷ (1 + exp(intercept + Σ weight · (signal − usual)))",
    "retention.rate": "stayed ÷ start",
    "retention.model": "Nₜ = r·Nₜ₋₁ + A; profitₜ = π·Nₜ − c·A; Σ profitₜ ÷ (1 + d)ᵗ",
}
MEANS: Mapping[str, Words] = {
    "value.historic": _("What they earned us so far: margins of all purchases, less what winning and serving them cost."),
    "value.lifetime.after_renewal": _(
        "What their yearly margin is worth if they stay as customers of this desk do: r is its share who buy again a year later, "
        "d the discount of a year."
    ),
    "value.to_come": _(
        "What their purchases of the next 52 weeks are likely to earn, by the rhythm of all customers (BG/NBD) and what they spend "
        "(Gamma–Gamma)."
    ),
    "value.p_alive": _("How likely they still buy, by how often and how lately they did."),
    "value.service": _("Calls and meetings as long as they were, written answers at the usual length."),
    "value.tier": _("Who buys regularly comes before who bought much once; among the regular, the fifth that earns most is key."),
    "value.paying": _("One payment of the whole sum within seven days counts as at once."),
    "health.logistic": _("How likely they stay, from signals that anybody can check."),
}  # fmt: skip
TIER: Mapping[str, Words] = {
    "key": _("key"),
    "regular": _("regular"),
    "occasional": _("occasional"),
    "single": _("bought once"),
    "none": _("nothing bought in a year"),
}
HABIT: Mapping[str, Words] = {
    "at_once": _("pays at once"),
    "mixed": _("now so, now so"),
    "instalments": _("pays by instalments"),
    "": _("not known yet"),
}
INPUT: Mapping[str, Words] = {
    "margin": _("margin"),
    "acquisition_cost": _("cost of winning"),
    "service_cost": _("cost of service"),
    "m": _("m: margin of the last 365 days"),
    "r": _("r: share who stay"),
    "d": _("d: discount of a year"),
    "discount": _("discount of a year"),
    "x": _("x: purchases after the first"),
    "t_x": _("tₓ: weeks from the first to the last"),
    "T": _("T: weeks since the first"),
    "expected_purchases": _("purchases expected in 52 weeks"),
    "spend_per_purchase": _("expected of a purchase"),
    "customers": _("customers the model was fitted to"),
    "handle_seconds": _("seconds spent"),
    "cost_per_minute": _("cost of a minute"),
    "reply_seconds": _("seconds for a written answer"),
    "periods_bought": _("periods in which they bought"),
    "regular_from": _("regular from"),
    "periods": _("periods looked at"),
    "period_days": _("days of a period"),
    "key_from": _("key from a margin of"),
    "at_once": _("paid at once"),
    "paid_orders": _("orders paid in full"),
    "median_days": _("median days until paid"),
}
SIGNAL: Mapping[str, Words] = {
    "recency_ratio": _("time since the last purchase against the usual gap"),
    "satisfaction_trend": _("satisfaction in 90 days, points"),
    "open_tickets": _("open tickets"),
    "breached_tickets": _("targets missed in 90 days"),
    "reopens": _("tickets reopened in a year"),
    "use_ratio": _("use against the usual"),
    "tenure_years": _("years with us"),
}
#: Why somebody counts as restless, with the figure of the rule.
RESTLESS: Mapping[str, Words] = {
    "late": _("buys later than usual: %(x)s times the usual gap"),
    "bad_rating": _("rated badly in the last 30 days"),
    "falling": _("satisfaction fell by %(x)s points in 90 days"),
    "breached": _("targets missed in 90 days: %(x)s"),
    "reopened": _("tickets opened again: %(x)s"),
    "waiting": _("tickets open: %(x)s"),
    "promises": _("promises of ours that are past: %(x)s"),
}


def names() -> dict[str, Mapping[str, Words] | Mapping[str, str]]:
    """What the templates of these figures use."""
    return {"FORMULA": FORMULA, "MEANS": MEANS, "TIER": TIER, "HABIT": HABIT, "INPUT": INPUT, "SIGNAL": SIGNAL, "RESTLESS": RESTLESS}
