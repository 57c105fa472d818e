"""Lists of a few names are read in their own code page, or in none: never in a wrong one."""

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from deepsight.core.files.code_pages import LOOKED_AT, code_page, other_cells

# Names of classes by language, and the encoding that its spreadsheets use.
NAMES = {
    "german": (
        "cp1252",
        "Löwenzahn Rötung gesund Blüte Geschwür Frühling Größe mäßig süß kühl Fußgänger Ampel Brücke "
        "Gebäude Ärztin Übergang schön Lärche Kröte Zähne",
    ),
    "french": (
        "cp1252",
        "défaut rayé fêlé abîmé réussi échec école église château bébé fille hérisson carré élevé gâteau "
        "crème Noël maïs thé hôpital",
    ),
    "spanish": (
        "cp1252",
        "sí año día fresón cañón maní café limón sandía albañil montaña otoño tejón hurón delfín pájaro "
        "melocotón unión",
    ),
    "portuguese": (
        "cp1252",
        "não bom ruim lesão benigna câncer à nódulo pulmão fígado garça jacaré tatu onça cação tubarão "
        "pão-de-açúcar vovô",
    ),
    "swedish": (
        "cp1252",
        "grön röd gul blå trä plåt skåp säng lönn gran tall björk älv sjö å ö fågel mört abborre",
    ),
    "danish": (
        "cp1252",
        "grøn rød hø får sø å brøndkarse tørv rør dør vindue tæppe grå knæ næse øje hånd fod tå ål",
    ),
    "icelandic": (
        "cp1252",
        "köttur hæna önd þorskur máfur ær kýr hundur svín ýsa rjúpa lóa ísbjörn úlfur æður álft þröstur "
        "hrútur bátur skíði",
    ),
    "finnish": (
        "cp1252",
        "hämähäkki pöllö mäyrä kärpänen näätä sääski hyönteinen jänis pääsky äyriäinen järvi kenkä pöytä "
        "tähti yö kyyhky häkki mökki räkättirastas öljy",
    ),
    "italian": (
        "cp1252",
        "città caffè perché più là è lunedì tè papà virtù ragù tribù menù metà età però",
    ),
    "russian": (
        "cp1251",
        "здоровый больной клён дуб берёза сосна ель рябина роза тюльпан ромашка гвоздика лилия мак "
        "василёк одуванчик подсолнух крапива мята щавель",
    ),
    "russian, capitalised": (
        "cp1251",
        "Трактор Комбайн Плуг Автобус Трамвай Троллейбус Метро Поезд Вертолёт Ракета Лодка Яхта Паром "
        "Танкер Буксир",
    ),
    "ukrainian": (
        "cp1251",
        "здоровий хворий дуб береза сосна ялина троянда тюльпан ромашка лілія мак волошка кульбаба "
        "соняшник м'ята",
    ),
    "bulgarian": (
        "cp1251",
        "здрав болен дъб бреза бор ела роза лале лайка карамфил лилия мак глухарче слънчоглед мента "
        "трактор автобус влак",
    ),
    "serbian": (
        "cp1251",
        "здрав болестан храст бреза бор јела ружа лала каранфил љиљан мак маслачак сунцокрет нана трактор "
        "аутобус воз чамац",
    ),
    "greek": (
        "cp1253",
        "υγιής άρρωστος δρυς σημύδα πεύκο έλατο τριαντάφυλλο τουλίπα μαργαρίτα γαρίφαλο κρίνος παπαρούνα "
        "ηλιοτρόπιο τσουκνίδα μέντα τρακτέρ λεωφορείο τρένο",
    ),
    "hebrew": (
        "cp1255",
        "בריא חולה אלון אורן ורד צבעוני חמנית פרג נענע טרקטור אוטובוס רכבת מסוק סירה אניה גשר כביש בניין "
        "עגבניה מלפפון",
    ),
    "arabic": (
        "cp1256",
        "سليم مريض بلوط صنوبر وردة زنبق خشخاش نعناع جرار حافلة قطار مروحية قارب جسر طريق مبنى طماطم خيار "
        "جزر بصل",
    ),
    "thai": (
        "cp874",
        "ปกติ ป่วย ต้นโอ๊ก ต้นสน กุหลาบ ทิวลิป "
        "ดอกทานตะวัน สะระแหน่ รถแทรกเตอร์ รถเมล์ รถไฟ "
        "เฮลิคอปเตอร์ สะพาน ถนน อาคาร มะเขือเทศ "
        "แตงกวา แครอท หัวหอม ข้าว",
    ),
    "japanese": (
        "cp932",
        "正常 異常 桜 松 杉 薔薇 チューリップ ひまわり 向日葵 バス 電車 新幹線 自転車 "
        "橋 道路 建物 トマト きゅうり 人参 玉ねぎ",
    ),
    "chinese": (
        "gb18030",
        "正常 异常 樱花 松树 玫瑰 郁金香 向日葵 公共汽车 火车 自行车 桥 道路 建筑 "
        "番茄 黄瓜 胡萝卜 洋葱 大米 小麦 玉米",
    ),
    "chinese, traditional": (
        "cp950",
        "正常 異常 櫻花 松樹 玫瑰 鬱金香 向日葵 公車 火車 腳踏車 橋 道路 建築 番茄 "
        "黃瓜 胡蘿蔔 洋蔥 米飯 小麥 玉米",
    ),
    "korean": (
        "cp949",
        "정상 비정상 벚꽃 소나무 장미 튤립 해바라기 버스 기차 자전거 다리 도로 건물 "
        "토마토 오이 당근 양파 쌀 밀 옥수수",
    ),
    "russian, KOI8": (
        "koi8_r",
        "кошка собака лошадь корова мышь медведь заяц лиса волк птица самолёт корабль грузовик олень "
        "лягушка автомобиль яблоко груша дом дерево",
    ),
    "japanese, EUC": (
        "euc_jp",
        "猫 犬 馬 牛 鳥 飛行機 船 トラック 鹿 蛙 自動車 りんご みかん 家 木 良品 不良品 きず 欠け 汚れ",
    ),
    "polish": (
        "cp1250",
        "dąb klon jesion wiśnia śliwa czereśnia łąka góra rzeka most żelazko łyżka widelec nóż talerz "
        "szklanka ciężarówka samochód łódka źdźbło",
    ),
}
WESTERN = [language for language, (encoding, _) in NAMES.items() if encoding == "cp1252"]
OTHERS = [language for language in NAMES if language not in (*WESTERN, "polish")]


def tables(language: str, sizes: tuple[int, ...]) -> Iterator[str]:
    """Small tables of files and labels; in half of them the folders have the names of the classes too."""
    names = NAMES[language][1].split()
    for seed in range(6):
        for size in sizes:
            drawn = random.Random(seed).sample(names, size)
            rows = [
                f"{name}/{i}.jpg;{name}" if seed % 2 else f"{i}.jpg;{name}" for i, name in enumerate(drawn)
            ]
            text = "\r\n".join(["path;label", *rows, ""])
            if not text.isascii():
                yield text


def readings(language: str, sizes: tuple[int, ...]) -> Counter[str]:
    """How many tables are read rightly, wrongly, and not at all."""
    encoding, found = NAMES[language][0], Counter[str]()
    for text in tables(language, sizes):
        content = text.encode(encoding)
        page = code_page(content)
        found[
            "none" if page is None else "right" if content.decode(page, "replace") == text else "wrong"
        ] += 1
    return found


@pytest.mark.parametrize("language", WESTERN)
def test_names_of_western_europe_stay_in_their_code_page(language: str) -> None:
    assert {*readings(language, (1, 2, 3, 5, 10, 15))} == {"right"}


@pytest.mark.parametrize("language", OTHERS)
def test_names_in_other_alphabets_are_never_read_in_a_wrong_code_page(language: str) -> None:
    assert readings(language, (2, 3, 4, 5, 7, 10))["wrong"] == 0


@pytest.mark.parametrize("language", OTHERS)
def test_a_dozen_names_are_enough(language: str) -> None:
    found = readings(language, (12, 14))
    assert found["right"] >= 0.9 * found.total()


def test_polish_names_are_read_as_central_or_as_western_european() -> None:
    """Some words have the letters of both, such as "samochód"; the note says which was assumed."""
    assert readings("polish", (12, 14))["right"] >= 10
    assert readings("polish", (3, 5))["none"] <= 3


def test_signs_and_single_letters_make_no_other_alphabet() -> None:
    for text in ("5 °C", "20 µm", "Käse – Öl", "“Käse”", "é", "l’été", "ÉTÉ", "ŒUF", "€"):
        assert code_page(f"a;{text}\n".encode("cp1252")) in ("cp1252", None)


def test_only_different_cells_are_looked_at_up_to_a_limit() -> None:
    assert other_cells("a;ä\r\nb;ä\r\nö/x;y".encode("cp1252")) == "ä\nö".encode("cp1252")
    many = "".join(f"ä{i:07d}\n" for i in range(20_000)).encode("cp1252")
    assert LOOKED_AT - 20 < len(other_cells(many)) <= LOOKED_AT
