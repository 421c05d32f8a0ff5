"""Spellings that lead to the same thing: places, currencies, words, firms.

An entry is `name=spelling,spelling`; spellings in capitals are codes.
"""

STATES = (
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
PLACES = (
    "los angeles=LA,city of angels,LAX", "san francisco=sf,frisco,bay area,SFO",
    "new york=nyc,new york city,big apple,manhattan,NY,JFK,LGA,nueva york",
    "philadelphia=philly,PHL", "las vegas=vegas,LAS",
    "washington=DC,washington dc,district of columbia,IAD,DCA", "new orleans=nola,big easy,MSY",
    "chicago=windy city,chi town,ORD,MDW", "boston=beantown,BOS", "atlanta=ATL,hotlanta",
    "miami=MIA", "seattle=SEA,emerald city", "dallas=DFW", "houston=IAH",
    "denver=DEN,mile high city", "san diego=SD,SAN", "detroit=motor city,DTW", "phoenix=PHX",
    "san jose=SJC,silicon valley", "salt lake city=SLC", "kansas city=KC", "saint=st", "fort=ft",
    "mount=mt", "street=st", "avenue=ave", "road=rd", "boulevard=blvd", "drive=dr",
    "london=LHR,LON,LGW", "paris=CDG,PAR", "hong kong=hk,HKG", "kuala lumpur=KL,KUL",
    "tokyo=HND,NRT,TYO", "beijing=peking,PEK,北京", "shanghai=PVG,上海",
    "guangzhou=canton,CAN,广州", "shenzhen=深圳", "mumbai=bombay,BOM", "kolkata=calcutta",
    "chennai=madras,MAA", "bengaluru=bangalore,BLR", "new delhi=delhi,DEL",
    "singapore=SIN", "dubai=DXB", "sydney=SYD",
    "toronto=YYZ", "vancouver=YVR", "mexico city=cdmx,ciudad de mexico", "rio de janeiro=rio",
    "sao paulo=GRU", "seoul=ICN,서울", "bangkok=BKK", "istanbul=IST", "moscow=москва",
    "munich=munchen", "cologne=koln", "vienna=wien", "rome=roma", "milan=milano",
    "united states=US,usa,america,american,states,u s,u s a,estados unidos,gringo",
    "united kingdom=uk,GB,britain,great britain,british,england,english,u k",
    "united arab emirates=uae,emirates", "european union=eu,europe,e u",
    "germany=german,deutschland", "france=french", "netherlands=dutch,holland",
    "spain=spanish,espana", "greece=greek", "china=chinese,中国", "japan=japanese,日本",
    "south korea=korea,korean,한국", "denmark=danish", "sweden=swedish", "poland=polish",
    "turkey=turkish,turkiye", "switzerland=swiss", "portugal=portuguese", "ireland=irish",
    "wales=welsh", "thailand=thai", "philippines=filipino", "finland=finnish", "norway=norwegian",
    "czechia=czech,czech republic", "wales=welsh", "vietnam=viet nam,vietnamese",
    "chinese=mandarin", "persian=farsi", "kyiv=kiev", "myanmar=burma",
    "cote d ivoire=ivory coast", "moscow=moskva", "russia=russian", "brazil=brasil",
    "mexico=mexican",
)  # fmt: skip
WORDS = (
    "us dollar=usd,dollar,dollars,bucks,$,us dollars,american dollars", "euro=eur,euros,€",
    "british pound=gbp,pound,pounds,sterling,£,pounds sterling,british pounds",
    "japanese yen=jpy,yen,¥", "chinese yuan=cny,yuan,rmb,renminbi,人民币",
    "indian rupee=inr,rupee,rupees,₹", "mexican peso=mxn,peso,pesos",
    "swiss franc=chf,franc,francs", "south korean won=krw,won", "russian ruble=rub,ruble,rubles",
    "brazilian real=brl,real,reais", "canadian dollar=cad,canadian dollars",
    "australian dollar=aud,australian dollars", "new zealand dollar=nzd", "hong kong dollar=hkd",
    "singapore dollar=sgd", "bitcoin=btc", "ethereum=eth,ether", "litecoin=ltc", "dogecoin=doge",
    "ripple=xrp", "gold=xau,au", "silver=xag", "television=tv", "science fiction=sci fi,scifi",
    "rhythm and blues=r&b,rnb", "year=yr", "maximum=max", "minimum=min", "average=avg,mean",
    "temperature=temp", "number=no,num", "application=app", "photograph=photo,picture,pic,image",
    "hiv=aids", "information=info", "doctor=dr,physician", "mister=mr", "limited=ltd",
    "corporation=corp", "company=co", "incorporated=inc", "department=dept",
    "university=uni,univ", "administrator=admin", "repository=repo", "kilometer=km,kilometre",
    "kilogram=kg,kilo", "centimeter=cm", "meter=m,metre", "mile=mi", "pound=lb,lbs", "ounce=oz",
    "liter=l,litre", "hour=hr,hrs,h", "minute=min,mins", "second=sec,s", "percent=%",
    "celsius=c,°c,metric", "fahrenheit=f,°f,imperial", "gigabyte=gb", "megabyte=mb",
    "terabyte=tb", "kilobyte=kb", "database=db", "versus=vs",
    "male=man,men,boy,guy,gentleman,his,he", "female=woman,women,girl,lady,her,she", "monday=mon",
    "tuesday=tue,tues", "wednesday=wed", "thursday=thu,thurs", "friday=fri", "saturday=sat",
    "sunday=sun", "january=jan", "february=feb", "march=mar", "april=apr", "june=jun", "july=jul",
    "august=aug", "september=sep,sept", "october=oct", "november=nov", "december=dec",
    "color=colour", "theater=theatre", "center=centre", "gray=grey", "bicycle=bike,cycling",
    "automobile=car", "movie=film,cinema", "apartment=flat", "autumn=fall", "vacation=holiday",
    "rent=hire,rental", "truck=lorry", "sofa=couch", "elevator=lift", "gasoline=gas,petrol,fuel",
    "pants=trousers", "sneakers=trainers", "subway=underground,metro", "eggplant=aubergine",
    "zucchini=courgette", "tire=tyre", "check=cheque", "donut=doughnut", "okay=ok",
    "cookie=biscuit", "latest=newest,recent", "version=v,ver", "jpeg=jpg", "excel=xlsx,xls",
    "text=txt", "word=docx", "powerpoint=pptx", "temporary=tmp", "largest=biggest",
    "artificial intelligence=AI", "machine learning=ML", "information technology=IT",
    "virtual reality=VR", "human resources=HR", "united nations=UN", "square root=sqrt",
    "sine=sin", "cosine=cos", "tangent=tan", "logarithm=log,ln", "candy=sweets",
    "return=round trip,roundtrip", "extra large=xl", "extra small=xs", "extra extra large=xxl",
    "playstation=ps", "square foot=square feet,sq ft,sqft,ft^2,ft2",
    "square meter=square metre,square metres,square meters,sq m,sqm,m^2,m2",
    "world war 1=ww1,wwi,world war i,first world war,world war one",
    "world war 2=ww2,wwii,world war ii,second world war,world war two",
    "flight=airplane,plane,fly", "basketball=nba,hoops", "football=nfl",
    "soccer=football,footballer", "baseball=mlb", "hockey=nhl", "north=n", "south=s", "east=e",
    "west=w", "and=&", "cheap=inexpensive,budget,low",
    "descending=desc,highest,largest,decreasing,most", "buy=purchase", "refrigerator=fridge",
    "ascending=asc,lowest,smallest,increasing,least", "javascript=js", "typescript=ts",
    "python=py", "markdown=md", "kubernetes=k8s", "christmas=xmas", "mathematics=math,maths",
    "laboratory=lab", "veterinarian=vet", "mobile phone=cell phone,cellphone,smartphone",
    "airport=intl", "international=intl", "sodium chloride=nacl,salt", "water=h2o",
    "carbon dioxide=co2", "oxygen=o2", "hydrogen=h2", "nitrogen=n2", "methane=ch4", "ammonia=nh3",
)  # fmt: skip
NARROWER = (
    "male=father,dad,son,brother,husband,mr,uncle,nephew,grandfather,boyfriend,king",
    "female=mother,mom,mum,daughter,sister,wife,mrs,ms,aunt,niece,grandmother,girlfriend,queen",
    "saturday=weekend", "sunday=weekend", "monday=weekday,workday", "tuesday=weekday,workday",
    "wednesday=weekday,workday", "thursday=weekday,workday", "friday=weekday,workday",
    "driving=car,drive", "walking=foot,walk", "bicycling=bike,bicycle,cycle",
    "comedy=funny,romcom", "transit=bus,train,subway,metro", "horror=scary",
    "luxury=expensive,fancy,upscale,five star", "high=expensive", "children=kid",
    "vegetarian=vegan", "economy=coach", "descending=newest first",
    "desc=newest first,latest first", "asc=oldest first", "distance=how far,away", "size=how big",
    "duration=how long", "speed=how fast", "price=how much,how expensive", "age=how old",
    "population=how many people,inhabitants", "temperature=hot,cold,warm,warmest,coldest,hottest",
    "height=tall,high", "weight=heavy,weigh", "length=long", "width=wide", "depth=deep",
)  # fmt: skip
"""What follows from a word, and not the other way around: a father is male."""
TICKERS = (
    "apple=aapl,microsoft=msft,google=goog googl,alphabet=goog googl,amazon=amzn,tesla=tsla,"
    "facebook=fb meta,netflix=nflx,nvidia=nvda,intel=intc,ibm=ibm,disney=dis,walmart=wmt,"
    "nike=nke,boeing=ba,oracle=orcl,starbucks=sbux,visa=v,uber=uber,paypal=pypl,adobe=adbe,"
    "twitter=twtr,alibaba=baba,samsung=ssnlf,toyota=tm,sony=sony,pfizer=pfe,ford=f,"
    "general electric=ge,general motors=gm,bank of america=bac,johnson=jnj,coca cola=ko,"
    "pepsi=pep,mcdonald=mcd,cisco=csco,salesforce=crm,exxon=xom"
)
