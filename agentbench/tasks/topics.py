"""Topic groups that tool-usage policies speak about, and which group a topic or a database belongs to.

The twelve groups are VAKRA's. Chemistry, Law, Music and Weather, which our own worlds know besides, stand for
themselves: a policy about health says nothing about chemistry, one about music nothing about films.
"""

from __future__ import annotations

import re

TOPICS = (
    "Sports", "Movies/TV", "Retail", "Food", "Technology", "Health", "Geography", "Transportation", "Finance",
    "Government", "Literature", "Education",
)  # fmt: skip

_WORDS = {
    "Sports": "sports|sport|sporting|athletics",
    "Movies/TV": "movies/tv|movies|movie|films|film|cinema|tv|television|entertainment|social media",
    "Retail": "retail|sales|commerce|e-commerce|shopping",
    "Food": "food|foods|restaurants|restaurant|beverages|beverage|dining",
    "Technology": "technology|tech|software",
    "Health": "health|healthcare|medicine|medical",
    "Geography": "geography|geographical|geographic|demographics",
    "Transportation": "transportation|transport|mobility",
    "Finance": "finance|financial|economics",
    "Government": "government|public services|human capital",
    "Literature": "literature|literary|language and publishing|language & publishing|publishing",
    "Education": "education|educational|education & students|education and students",
    "Chemistry": "chemistry|chemical",
    "Law": "law|legal",
    "Music": "music|musical",
    "Weather": "weather",
}
_GROUP_OF_WORD = {word: group for group, words in _WORDS.items() for word in words.split("|")}

_DATABASES = {
    "Sports": "european_football_1 european_football_2 formula_1 hockey ice_hockey_draft olympics "
    "professional_basketball soccer_2016",
    "Movies/TV": "card_games disney law_episode movie movie_3 movie_platform movielens movies_4 music_platform_2 "
    "music_tracker simpson_episodes social_media superhero talkingdata video_games",
    "Retail": "book_publishing_company car_retails regional_sales retail_complains retail_world retails sales "
    "sales_in_weather superstore works_cycles",
    "Food": "beer_factory cookbook craftbeer food_inspection food_inspection_2 menu restaurant",
    "Technology": "app_store codebase_comments codebase_community image_and_language software_company",
    "Health": "genes mental_health_survey synthea thrombosis_prediction toxicology",
    "Geography": "address mondial_geo world world_development_indicators",
    "Transportation": "airline bike_share_1 cars shipping trains",
    "Finance": "coinmarketcap debit_card_specializing donor financial",
    "Government": "chicago_crime human_resources legislator public_review_platform shooting",
    "Literature": "authors books citeseer language_corpus shakespeare",
    "Education": "california_schools college_completion computer_student cs_semester student_club student_loan "
    "university",
}
_GROUP_OF_DATABASE = {name: group for group, names in _DATABASES.items() for name in names.split()}

TOPIC_WORDS = re.compile(
    rf"(?<!\w)(?:{'|'.join(re.escape(word) for word in sorted(_GROUP_OF_WORD, key=len, reverse=True))})(?!\w)"
)
"""A word, in lower case, that names a group."""


def topic_group(topic: str) -> str:
    """The group of a topic, or of a database by its name; a topic of no group stands for itself, in lower case.

    Where words of several groups occur, the first one counts.
    """
    plain = " ".join(topic.casefold().split())
    if plain in _GROUP_OF_DATABASE:
        return _GROUP_OF_DATABASE[plain]
    words = plain.replace("_", " ")
    found = TOPIC_WORDS.search(words)
    return _GROUP_OF_WORD[found[0]] if found else words
