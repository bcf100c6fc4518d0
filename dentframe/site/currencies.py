"""The currencies of ISO 4217 stand here, and a code that is none of them is refused."""

from __future__ import annotations

from dentframe.errors import ConfigError, did_you_mean

_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP "
    "BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP "
    "GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK "
    "LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK "
    "NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP "
    "STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER "
    "ZAR ZMW ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
CURRENCIES = {code: n for n, codes in _DECIMALS.items() for code in codes.split()}
"""The currencies of ISO 4217, and the decimals of their amounts."""


def check_currency(code: str, where: str) -> None:
    """Refuse a currency that ISO 4217 lacks; `where` is the file or thing that names it."""
    if code not in CURRENCIES:
        near = did_you_mean(str(code).upper(), CURRENCIES) or "."
        raise ConfigError(
            f"Cannot use {where}: field 'currency' = {code!r}: ISO 4217 has no such currency{near} "
            "Give its code of three capitals, e.g. USD."
        )
