"""Names with several spellings: places, languages, currencies and their codes.

Every spelling leads to the things it can mean. Two spellings match if they share one.
"""

from collections.abc import Iterable, Sequence
from functools import cache

from apigen_ray.stages.grounding.text import fold, words_of

_STATES = (
    "al alabama,ak alaska,az arizona,ar arkansas,ca california,co colorado,ct connecticut,"
    "de delaware,dc district of columbia,fl florida,ga georgia,hi hawaii,id idaho,il illinois,"
    "in indiana,ia iowa,ks kansas,ky kentucky,la louisiana,me maine,md maryland,"
    "ma massachusetts,mi michigan,mn minnesota,ms mississippi,mo missouri,mt montana,ne nebraska,"
    "nv nevada,nh new hampshire,nj new jersey,nm new mexico,ny new york,nc north carolina,"
    "nd north dakota,oh ohio,ok oklahoma,or oregon,pa pennsylvania,ri rhode island,"
    "sc south carolina,sd south dakota,tn tennessee,tx texas,ut utah,vt vermont,va virginia,"
    "wa washington,wv west virginia,wi wisconsin,wy wyoming,on ontario,bc british columbia,"
    "ab alberta,qc quebec,nsw new south wales,vic victoria,qld queensland"
)
_PLACES = (
    "los angeles=LA,city of angels,LAX", "san francisco=sf,frisco,bay area,SFO",
    "new york=nyc,new york city,big apple,manhattan,NY,JFK,LGA,nueva york",
    "philadelphia=philly,PHL",
    "las vegas=vegas,LAS", "washington=DC,washington dc,district of columbia,IAD,DCA",
    "new orleans=nola,big easy,MSY", "chicago=windy city,chi town,ORD,MDW", "boston=beantown,BOS",
    "atlanta=ATL,hotlanta", "miami=MIA", "seattle=SEA,emerald city", "dallas=DFW", "houston=IAH",
    "denver=DEN,mile high city", "san diego=SD,SAN", "detroit=motor city,DTW", "phoenix=PHX",
    "san jose=SJC,silicon valley", "salt lake city=SLC", "kansas city=KC", "saint=st",
    "fort=ft", "mount=mt", "street=st", "avenue=ave", "road=rd", "boulevard=blvd", "drive=dr",
    "london=LHR,LON,LGW", "paris=CDG,PAR", "hong kong=hk,HKG", "kuala lumpur=KL,KUL",
    "tokyo=HND,NRT,TYO", "beijing=peking,PEK,北京", "shanghai=PVG,上海",
    "guangzhou=canton,CAN,广州",
    "shenzhen=深圳", "mumbai=bombay,BOM", "kolkata=calcutta", "chennai=madras,MAA",
    "bengaluru=bangalore,BLR", "new delhi=delhi,DEL", "singapore=SIN", "dubai=DXB",
    "sydney=SYD", "toronto=YYZ", "vancouver=YVR", "mexico city=cdmx,ciudad de mexico",
    "rio de janeiro=rio", "sao paulo=GRU", "seoul=ICN,서울", "bangkok=BKK", "istanbul=IST",
    "moscow=москва", "munich=munchen", "cologne=koln", "vienna=wien", "rome=roma", "milan=milano",
    "united states=US,usa,america,american,states,u s,u s a,estados unidos,gringo",
    "united kingdom=uk,GB,britain,great britain,british,england,english,u k",
    "united arab emirates=uae,emirates", "european union=eu,europe,e u",
    "germany=german,deutschland",
    "france=french", "netherlands=dutch,holland", "spain=spanish,espana", "greece=greek",
    "china=chinese,中国", "japan=japanese,日本", "south korea=korea,korean,한국", "denmark=danish",
    "sweden=swedish", "poland=polish", "turkey=turkish,turkiye", "switzerland=swiss",
    "portugal=portuguese", "ireland=irish", "wales=welsh", "thailand=thai", "philippines=filipino",
    "finland=finnish", "norway=norwegian", "czechia=czech,czech republic", "wales=welsh",
    "vietnam=viet nam,vietnamese", "russia=russian", "brazil=brasil", "mexico=mexican",
)  # fmt: skip
_WORDS = (
    "us dollar=usd,dollar,dollars,bucks,$,us dollars,american dollars", "euro=eur,euros,€",
    "british pound=gbp,pound,pounds,sterling,£,pounds sterling,british pounds",
    "japanese yen=jpy,yen,¥", "chinese yuan=cny,yuan,rmb,renminbi,人民币",
    "indian rupee=inr,rupee,rupees,₹", "mexican peso=mxn,peso,pesos",
    "swiss franc=chf,franc,francs",
    "south korean won=krw,won", "russian ruble=rub,ruble,rubles", "brazilian real=brl,real,reais",
    "canadian dollar=cad,canadian dollars", "australian dollar=aud,australian dollars",
    "new zealand dollar=nzd", "hong kong dollar=hkd", "singapore dollar=sgd", "bitcoin=btc",
    "ethereum=eth,ether", "litecoin=ltc", "dogecoin=doge", "ripple=xrp", "gold=xau", "silver=xag",
    "television=tv", "science fiction=sci fi,scifi", "rhythm and blues=r&b,rnb", "year=yr",
    "maximum=max", "minimum=min", "average=avg,mean", "temperature=temp", "number=no,num",
    "application=app", "photograph=photo,picture,pic,image", "hiv=aids", "information=info",
    "doctor=dr,physician", "mister=mr", "limited=ltd", "corporation=corp", "company=co",
    "incorporated=inc", "department=dept", "university=uni,univ", "administrator=admin",
    "repository=repo", "kilometer=km,kilometre", "kilogram=kg", "centimeter=cm", "meter=m,metre",
    "mile=mi", "pound=lb,lbs", "ounce=oz", "liter=l,litre", "hour=hr,hrs,h", "minute=min,mins",
    "second=sec,s", "percent=%", "celsius=c,°c,metric", "fahrenheit=f,°f,imperial",
    "gigabyte=gb", "megabyte=mb", "terabyte=tb", "kilobyte=kb", "database=db", "versus=vs",
    "male=man,men,boy,guy,gentleman,his,he", "female=woman,women,girl,lady,her,she",
    "monday=mon", "tuesday=tue,tues", "wednesday=wed", "thursday=thu,thurs", "friday=fri",
    "saturday=sat", "sunday=sun", "january=jan", "february=feb", "march=mar", "april=apr",
    "june=jun", "july=jul", "august=aug", "september=sep,sept", "october=oct", "november=nov",
    "december=dec", "color=colour", "theater=theatre", "center=centre", "gray=grey",
    "bicycle=bike,cycling", "automobile=car", "movie=film,cinema", "flight=airplane,plane,fly",
    "basketball=nba,hoops", "football=nfl", "soccer=football", "baseball=mlb", "hockey=nhl",
    "north=n", "south=s", "east=e", "west=w", "and=&", "cheap=inexpensive,budget,low",
    "descending=desc,highest,largest,decreasing,most", "buy=purchase", "refrigerator=fridge",
    "ascending=asc,lowest,smallest,increasing,least", "javascript=js", "typescript=ts",
    "python=py", "markdown=md", "kubernetes=k8s", "christmas=xmas", "mathematics=math,maths",
    "laboratory=lab", "veterinarian=vet", "mobile phone=cell phone,cellphone,smartphone",
    "airport=intl", "international=intl", "sodium chloride=nacl,salt", "water=h2o",
    "carbon dioxide=co2", "oxygen=o2", "hydrogen=h2", "nitrogen=n2", "methane=ch4", "ammonia=nh3",
)  # fmt: skip


_TICKERS = (
    "apple=aapl,microsoft=msft,google=goog googl,alphabet=goog googl,amazon=amzn,tesla=tsla,"
    "facebook=fb meta,netflix=nflx,nvidia=nvda,intel=intc,ibm=ibm,disney=dis,walmart=wmt,"
    "nike=nke,boeing=ba,oracle=orcl,starbucks=sbux,visa=v,uber=uber,paypal=pypl,adobe=adbe,"
    "twitter=twtr,alibaba=baba,samsung=ssnlf,toyota=tm,sony=sony,pfizer=pfe,ford=f,"
    "general electric=ge,general motors=gm,bank of america=bac,johnson=jnj,coca cola=ko,"
    "pepsi=pep,mcdonald=mcd,cisco=csco,salesforce=crm,exxon=xom"
)


def _add(table: dict[str, set[str]], meaning: str, spellings: Iterable[str]) -> None:
    for spelling in spellings:
        key = spelling if spelling.isupper() else " ".join(words_of(fold(spelling))) or spelling
        table.setdefault(key, set()).add(meaning)


@cache
def _table() -> dict[str, frozenset[str]]:
    table: dict[str, set[str]] = {}
    for entry in _STATES.split(","):
        code, _, name = entry.partition(" ")
        _add(table, f"state {name}", (code.upper(), name))
    for entry in _TICKERS.split(","):
        name, _, codes = entry.partition("=")
        _add(table, f"share {name}", (name, *codes.upper().split()))
    for entry in (*_PLACES, *_WORDS):
        name, _, others = entry.partition("=")
        _add(table, name, (name, *others.split(",")))
    _add_babel(table)
    return {spelling: frozenset(meanings) for spelling, meanings in table.items()}


def _add_babel(table: dict[str, set[str]]) -> None:
    """Territories, languages and currencies with their codes, from the CLDR."""
    from babel.core import Locale, get_global  # noqa: PLC0415  # takes 0.1 s

    english = Locale("en")
    for kind, names, aliases in (
        ("territory", english.territories, get_global("territory_aliases")),
        ("language", english.languages, get_global("language_aliases")),
    ):
        for code, name in names.items():
            if code.isalpha() and len(code) < 4:
                _add(table, f"{kind} {code}", (code.upper(), name))
        for code, target in aliases.items():
            first = target if isinstance(target, str) else target[0]
            if code.isalpha() and len(code) == 3 and first in names:
                _add(table, f"{kind} {first}", (code.upper(),))
    for code, name in english.currencies.items():
        _add(table, f"currency {code}", (code, name))


def meanings(words: Sequence[str]) -> frozenset[str]:
    """What runs of one to four words can stand for."""
    table = _table()
    found: set[str] = set()
    for length in (1, 2, 3, 4):
        for start in range(len(words) - length + 1):
            found |= table.get(" ".join(words[start : start + length]), frozenset())
    return frozenset(found)


def means(spelling: str) -> frozenset[str]:
    """What one spelling as a whole, or code in either case, can stand for."""
    table = _table()
    found = table.get(spelling, frozenset())
    return found | table.get(spelling.upper(), frozenset()) if len(spelling) < 6 else found


def codes(words: Iterable[str]) -> frozenset[str]:
    """What the words in capitals stand for as codes: `in` is no Indiana, `IN` may be."""
    table = _table()
    return frozenset(
        meaning
        for word in words
        if len(word) < 6 and word.isupper()
        for meaning in table.get(word, ())
    )


def initials(words: Sequence[str]) -> str:
    """The first letters of words, as abbreviations are made."""
    return "".join(word[0] for word in words)
