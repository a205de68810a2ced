"""What is written on the sample pages: our own sentences, in French, English and Latin.

``|`` marks where a word may be divided, ``~`` a space that is not broken.
"""

from __future__ import annotations


def _paragraphs(text: str) -> tuple[str, ...]:
    """What stands between empty lines."""
    return tuple(" ".join(part.split()) for part in text.strip().split("\n\n"))


OPENING = _paragraphs("""
ES anciens racon|taient qu’avant toute chose la main apprit à tracer, et que l’œil, jaloux, voulut aussitôt
com|prendre. Ainsi naquirent les figures~: un trait dans la pous|sière, un cercle autour du feu, la
sil|houette d’un cerf sur la paroi. Nul ne savait encore lire, mais déjà cha|cun savait regarder.

Le présent livre ras|semble ce que les voya|geurs, les jar|diniers et les géo|mètres nous ont laissé de plus
utile. On y trou|vera la mesure du ciel et celle des champs, les herbes qui gué|rissent et celles dont il faut
se garder, les ports, les vents, les heures du jour. Nous n’y avons mis aucun secret~: tout ce qui est mon|tré
ici peut être véri|fié par qui|conque pos|sède un compas, une ficelle et de la pa|tience.

Que le lec|teur ne s’étonne point si la même figure revient plu|sieurs fois. Une image n’est jamais vue deux
fois de la même façon~; l’enfant y cherche une bête, le maître y trouve une règle, et le vieil|lard, souvent,
n’y voit plus que le temps qu’il a fallu pour la graver. C’est pour|quoi nous avons laissé de larges marges~:
elles vous appar|tiennent.
""")

OPENING_NOTES = (
    ("De l’origine", "des figures."),
    ("Ce que contient", "le présent livre."),
    ("Pourquoi l’on a", "laissé des marges."),
)

GEOMETRY = _paragraphs("""
IRST let it be agreed that a figure is never the thing itself. The line which we draw has some breadth, and
the point some size~; but the line which we mean has none. He who for|gets this will measure ink, and not the
truth.

In every tri|angle that has one right angle, the square on the longest side is equal to the two squares on the
other sides to|gether. Let the tri|angle be ABC, and let the per|pen|dic|u|lar fall from A through the great
square~: it parts this square into two, of which each is equal to its neigh|bour above.

The five-cor|nered figure is found by the com|pass alone. Open it to the side of the pen|ta|gon, set its foot
in one corner, and strike an arc~; where two arcs meet, there stands the next. Within the star a smaller
pen|ta|gon is born, and in this another star, and so with|out end.

Of the solids we show but three. The cone and the cyl|in|der touch the ground along a circle, the sphere in a
single point~; yet of all bodies with the same skin the sphere holds the most. Bakers know this, and bees do
not.

Let the reader now shut the book and draw all three from mem|ory. Where his hand hes|i|tates, there his eye
has not yet been~; and to that place he should re|turn be|fore he turns the page.
""")

ASTRONOMY = _paragraphs("""
AELUM in cir|culos di|vi|sum esse ve|teres tra|di|derunt, quo|rum me|dium terra tenet, ex|tre|mum stellae
fixae. Luna prima cur|rit, me|nsem im|plens~; Sat|ur|nus ul|ti|mus et tar|dis|simus an|nos vix tri|ginta
suf|fi|cit.

Quo|tiens terra in|ter so|lem et lu|nam me|dia con|sti|tit, um|bra eius in lu|nam ca|dit, quae pau|la|tim
ob|scu|ra|tur et ru|bes|cit. Hoc nemo ti|meat~: figura in|fra po|sita cau|sam do|cet.
""")

HERBAL = _paragraphs("""
L’ÉGLANTIER, que les paysans nomment aussi rosier des chiens, croît dans les haies et au bord des chemins
pier|reux. Ses fleurs, d’un rose pâle, s’ouvrent à la Saint-Jean et ne durent qu’un jour. Ses fruits
rougissent en automne~; on les cueille après la pre|mière gelée.
""")

HERBAL_NOTES = ("1. La fleur ouverte.", "2. Le fruit.", "3. Le même, coupé.")

VOYAGE = _paragraphs("""
E left the har|bour on the ninth of May with a fair wind, eleven sacks of meal, and a map on which most of the
coast was still white. The pilot had sailed these waters once, as a boy, and re|mem|bered chiefly the birds.
By noon the tower had sunk be|hind us to the height of a thumb~; by evening we steered by the stars and by the
smell of the land. I was given a ham|mock, a bucket, and the task of watch|ing for rocks, of which I found
none.

On the third day a calm came down. The sails hung like washing, and the crew carved spoons. I used the time to
draw the town as I had seen it from the deck~: the church with its crooked spire, the keep, the houses below
the wall. The sun I drew with a face, for on that day it looked at us.

When the wind re|turned it brought rain, and my draw|ing with|out its frame was blown from the table into the
sea. What is printed here I made again from memory. The reader will for|give me if one house is missing~:
nobody lived in it.
""")

TABLE_TITLE = "Table des heures du soleil"

TABLE_HEADS = ("Mois", "Lever", "Coucher", "Durée du jour", "Signe")

TABLE_ROWS = (
    ("Janvier", "7 h 44", "16 h 17", "8 h 33", "Verseau"),
    ("Février", "7 h 03", "17 h 05", "10 h 02", "Poissons"),
    ("Mars", "6 h 09", "17 h 49", "11 h 40", "Bélier"),
    ("Avril", "5 h 06", "18 h 35", "13 h 29", "Taureau"),
    ("Mai", "4 h 15", "19 h 17", "15 h 02", "Gémeaux"),
    ("Juin", "3 h 49", "19 h 51", "16 h 02", "Cancer"),
    ("Juillet", "4 h 05", "19 h 46", "15 h 41", "Lion"),
    ("Août", "4 h 44", "19 h 00", "14 h 16", "Vierge"),
    ("Septembre", "5 h 27", "17 h 57", "12 h 30", "Balance"),
    ("Octobre", "6 h 11", "16 h 54", "10 h 43", "Scorpion"),
    ("Novembre", "6 h 59", "16 h 04", "9 h 05", "Sagittaire"),
    ("Décembre", "7 h 38", "15 h 51", "8 h 13", "Capricorne"),
)

TABLE_TEXT = _paragraphs("""
OUR trouver la durée de la nuit, retran|chez celle du jour de vingt-quatre heures. Les temps sont don|nés au
milieu de chaque mois, pour un lieu situé à qua|rante-neuf degrés de lati|tude~; plus au nord, l’été s’allonge
et l’hiver se res|serre. Le cadran solaire de votre clo|cher vous dira le reste, pourvu qu’il soit droit et
que le ciel veuille bien s’en mêler.
""")

TABLE_NOTES = (("Équinoxe :", "jour et nuit", "sont égaux."), ("Solstice :", "le jour est", "au plus long."))

MANUSCRIPT_RUBRIC = "Incipit liber de hortis"

MANUSCRIPT = _paragraphs("""
ORTVS con|clu|sus me|di|cina est ani|mae fes|sae. Qui mane in hor|tum in|trat, au|dit aquam, vi|det flo|res,
oblivis|citur cu|ra|rum~; qui ves|pere, stel|las nu|me|rat in|ter fo|lia mali.

Pri|mum quae|ritur de loco. Sit planus, sole ple|nus, ven|tis clau|sus, nec longe a puteo. Muro cin|ga|tur aut
sae|pe densa, ne ca|prae in|trent, quae nihil le|gunt et omnia de|vo|rant.

Deinde de herbis. Sal|viam ad so|lem pone, men|tam ad um|bram~; ros|ma|rinum iuxta por|tam, ut manus
trans|eun|tium odo|rem ra|piant. Rosae in me|dio stent, quia re|gi|nae sunt.

De apibus quo|que di|cen|dum est. Al|vea|ria ad ori|en|tem spec|tent. Api|bus nemo irascatur~: mel dul|ce est,
et ira bre|vis.

Hor|tu|la|nus sit pa|tiens et mane sur|gat. Ma|nus ha|beat du|ras, vo|cem le|nem. Quod hodie se|rit, alius
car|pet~; et hoc quo|que bo|num est.
""")

MANUSCRIPT_NOTE = ("nota bene", "de apibus")
