"""Sentences of the kind that assistants remember: many different ones, the same at every run."""

import random
from collections.abc import Iterator

SEED = 20260101
_WORDS: dict[str, list[str]] = {
    "food": "lentils,rice noodles,goat cheese,mushrooms,rye bread,tofu,olives,salmon,ginger,beetroot,chickpeas,"
    "porridge,dark chocolate,aubergine,pickled cucumbers,mango,walnuts,sourdough,miso soup,peppermint tea,lamb",
    "meal": "breakfast,lunch,dinner,supper,a picnic,a late snack,the Sunday meal,the office canteen",
    "job": "nurse,carpenter,tax adviser,bus driver,violin teacher,software tester,botanist,translator,plumber,editor,"
    "dentist,welder,librarian,pilot,baker,surveyor,judge,gardener,physiotherapist,notary",
    "place": "hospital,small workshop,school,publishing house,shipyard,bank,theatre,start-up,museum,town hall,bakery,"
    "research institute,hotel,farm,radio station,law firm",
    "city": "Lisbon,Kyoto,Oslo,Vienna,Leipzig,Utrecht,Naples,Montreal,Accra,Hanoi,Tbilisi,Bergen,Sevilla,Gdańsk,Cork,"
    "Marseille,Porto,Graz,Riga,Valparaíso,Nairobi,Chennai,Tromsø,Ljubljana",
    "who": "her sister,his brother,an old friend,two colleagues,the whole family,a neighbour,their daughter,a choir,"
    "his grandfather,the climbing club,her partner,nobody else",
    "name": "Clara,Tomas,Mei,Jonas,Aylin,Miriam,Kofi,Ida,Ravi,Zoë,Nina,Bruno,Selma,Omar,Pilar,Anton,Freya,Dag,Luz",
    "pet": "cat,greyhound,parrot,tortoise,rabbit,pony,goldfish,ferret,canary,sheepdog",
    "colour": "grey,black,white,spotted,ginger,brown,very old,noisy,shy,one-eyed",
    "hobby": "bouldering,chess by correspondence,choral singing,beekeeping,calligraphy,long-distance running,knitting,"
    "astronomy,pottery,birdwatching,playing the bass,rowing,origami,restoring radios,salsa,fencing",
    "day": "Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday",
    "time": "before breakfast,at seven,at noon,after work,late at night,in the early morning,during the lunch break",
    "span": "a long weekend,a week,ten days,two weeks,a month,the whole summer,three nights",
    "thing": "router,washing machine,laptop,bicycle,standing desk,heat pump,dishwasher,phone,printer,electric kettle,"
    "car,sewing machine,camera,doorbell,vacuum cleaner,hearing aid",
    "fault": "makes a rattling noise,arrived with a cracked lid,drops the connection,does not switch on,leaks,"
    "needs a new battery,smells of burning,was delivered twice,has a loose screw,shows error 42",
    "illness": "hay fever,migraine,a nut allergy,asthma,high blood pressure,a sprained ankle,diabetes,back pain,eczema,"
    "insomnia,a milk intolerance,travel sickness",
    "remedy": "an antihistamine,swimming,a strict diet,physiotherapy,an inhaler,fresh air,a prescription,early nights",
    "language": "Norwegian,Arabic,Greek,Portuguese,Japanese,Turkish,Polish,sign language,Hindi,Welsh,Catalan,Russian",
    "tool": "Python,TypeScript,dark mode,a large font,keyboard shortcuts,a spreadsheet,light mode,Vim,dictation,Linux",
    "year": ",".join(map(str, range(1995, 2026))),
    "money": "80 euros,250 euros,900 euros,1,200 euros,2,400 euros,15 pounds,40 dollars,3,000 yen",
}
_FORMS = (
    "Prefers {food} to {food} at {meal}.",
    "Does not eat {food} because of {illness}.",
    "Cooks {food} with {food} for {who} every {day}.",
    "Works as a {job} at a {place} in {city}.",
    "Used to be a {job}, and is now a {job} at a {place}.",
    "Is planning {span} in {city} with {who}.",
    "Flies home from {city} on {day} {time}.",
    "Has a budget of {money} for {span} in {city}.",
    "Stayed {span} in {city} and liked the {place} best.",
    "Has a {colour} {pet} named {name}.",
    "Looks after {name}'s {colour} {pet} on {day}.",
    "Does {hobby} on {day} {time} with {who}.",
    "Gave up {hobby} for {hobby} because of {illness}.",
    "The {thing} {fault}; {name} comes on {day} {time}.",
    "Bought a second-hand {thing} for {money} in {city}.",
    "The {thing} from the {place} {fault}.",
    "Has {illness} and takes {remedy} {time}.",
    "Learns {language} on {day} {time}, with {name}.",
    "Speaks {language} at home and {language} at the {place}.",
    "Uses {tool} at the {place} and {tool} at home.",
    "Asked for {tool} instead of {tool}, because of {illness}.",
    "{name} pays {money} for the {thing}, {name} for the {food}.",
    "Meets {name} at the {place} in {city} on {day}.",
    "Wants to be reminded of {hobby} on {day} {time}.",
    "Brings {food} to the {place} on {day}, {time}.",
    "Lives in {city} with {who} and a {pet}.",
    "Moved from {city} to {city} with {who} after {span}.",
    "Owes {name} {money} for {span} of {hobby}.",
)
_TAILS = (
    "{name} told the assistant so {time}.",
    "That has been so since {year}.",
    "It began in {city} in {year}.",
    "Mentioned it to {name} on {day}.",
    "Has thought so since {span} in {city}.",
)
# What a person might look for. Each holds a word that no sentence has, so that mem0's word score stays out of it.
QUESTIONS = (
    "what kind of cuisine would suit me",
    "which pets have been mentioned",
    "remembered trips abroad",
    "anything concerning my health",
    "which household appliances broke",
    "profession and employer",
    "how do I spend my leisure hours",
    "tongues I am studying",
    "preferences about computer software",
    "whom do I owe cash",
    "drinks that I enjoy",
    "where is my residence",
)


def sentences(count: int, seed: int = SEED) -> Iterator[str]:
    """`count` sentences, nearly all of them different."""
    chosen = random.Random(seed)
    for _ in range(count):
        yield _filled(f"{chosen.choice(_FORMS)} {chosen.choice(_TAILS)}", chosen)


def _filled(form: str, chosen: random.Random) -> str:
    """Each slot on its own: one form with "{food} to {food}" names two different draws."""
    parts = form.split("{")
    return parts[0] + "".join(
        chosen.choice(_lists[slot]) + rest for slot, rest in (part.split("}", 1) for part in parts[1:])
    )


_lists = {slot: words.split(",") for slot, words in _WORDS.items()}
