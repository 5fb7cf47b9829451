"""Bombs in DOCX and PDF, and makers of harmless ones."""

from __future__ import annotations

import io
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from bombs import Body, bomb, noise

# --- docx --------------------------------------------------------------------------------------------------------

WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
TYPES = (
    f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
    f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Default Extension="png" ContentType="image/png"/></Types>'
)


def relations(*targets: tuple[str, str]) -> str:
    made = [f'<Relationship Id="r{n}" Type="{OFFICE}/{kind}" Target="{to}"/>' for n, (kind, to) in enumerate(targets)]
    return f'<Relationships xmlns="{PACKAGE}/relationships">{"".join(made)}</Relationships>'


def body(inside: str) -> str:
    return f'<?xml version="1.0"?><w:document {WORD}><w:body>{inside}</w:body></w:document>'


def words(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def docx(main: Body, extra: Iterable[tuple[str, Body]] = (), *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", TYPES)
        archive.writestr("_rels/.rels", relations(("officeDocument", "word/document.xml")))
        archive.writestr("word/document.xml", main)
        for name, data in extra:
            archive.writestr(name, data)
    return packed.getvalue()


@bomb("docx")
def of_spaces() -> Body:
    return docx(body(words(" " * 60_000_000)))


@bomb("docx")
def just_below_every_limit() -> Body:
    return docx(body("<w:p/>" * 20_000_000), [("word/pad.bin", noise(1_300_000))])


@bomb("docx")
def of_too_many_members() -> Body:
    return docx(body(words("x")), [(f"word/{n}.xml", "") for n in range(3_000)])


@bomb("docx")
def with_sizes_that_lie() -> Body:
    """The directory says that 60 MB are 1,000 bytes."""
    whole = docx(body(words("x" * 60_000_000)))
    at = whole.rindex(b"PK\x01\x02")
    return whole[: at + 24] + struct.pack("<I", 1_000) + whole[at + 28 :]


@bomb("docx")
def in_a_docx_in_a_docx() -> Body:
    inner = docx(body(words(" " * 30_000_000)))
    for _ in range(20):
        inner = docx(body(words("Nested.")), [("word/embeddings/inner.docx", inner)])
    return inner


@bomb("docx")
def of_entities() -> Body:
    nest = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 8))
    return docx(f'<!DOCTYPE w [<!ENTITY a0 "lol">{nest}]>' + body(words("&a7;")).partition("?>")[2])


@bomb("docx")
def with_an_external_entity() -> Body:
    return docx('<!DOCTYPE w [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + body(words("&a;")).partition("?>")[2])


@bomb("docx")
def of_nested_tables() -> Body:
    opened, closed = "<w:tbl><w:tr><w:tc>", "</w:tc></w:tr></w:tbl>"
    return docx(body(opened * 20_000 + words("deep") + closed * 20_000), [("word/pad.bin", noise(50_000))])


def picture(relation: str) -> str:
    """As Word shows one."""
    drawing = "http://schemas.openxmlformats.org/drawingml/2006"
    blip = f'<a:blip xmlns:r="{OFFICE}" r:embed="{relation}"/>'
    shown = f'<pic:pic xmlns:pic="{drawing}/picture"><pic:blipFill>{blip}</pic:blipFill></pic:pic>'
    graphic = f'<a:graphic xmlns:a="{drawing}/main"><a:graphicData>{shown}</a:graphicData></a:graphic>'
    inline = f'<wp:inline xmlns:wp="{drawing}/wordprocessingDrawing">{graphic}</wp:inline>'
    return f"<w:p><w:r><w:drawing>{inline}</w:drawing></w:r></w:p>"


@bomb("docx")
def of_one_picture_shown_often() -> Body:
    parts = [("word/_rels/document.xml.rels", relations(("image", "a.png"))), ("word/a.png", noise(1_000_000))]
    return docx(body(words("Pictures.") + picture("r0") * 1_000), parts)


@bomb("docx")
def of_styles_that_point_at_each_other() -> Body:
    number = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>'
    styles = f'<w:styles {WORD}><w:style w:type="numbering" w:styleId="A"><w:pPr>{number}</w:pPr></w:style></w:styles>'
    numbers = (
        f'<w:numbering {WORD}><w:abstractNum w:abstractNumId="0"><w:numStyleLink w:val="A"/></w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>'
    )
    item = f"<w:p><w:pPr>{number}</w:pPr><w:r><w:t>x</w:t></w:r></w:p>"
    parts = [
        ("word/_rels/document.xml.rels", relations(("styles", "styles.xml"), ("numbering", "numbering.xml"))),
        ("word/styles.xml", styles),
        ("word/numbering.xml", numbers),
    ]
    return docx(body(item), parts)


# --- pdf ---------------------------------------------------------------------------------------------------------


def pdf(*objects: bytes, end: bytes = b"") -> bytes:
    """A PDF of these objects, the first one its catalogue, with a table of where they are."""
    out, places = b"%PDF-1.7\n", []
    for number, inside in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, inside)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R %s>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, end, len(out))
    return out + head + table + trailer


CATALOGUE = b"<< /Type /Catalog /Pages 2 0 R >>"
PAGES = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
FONT = b"/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
PAGE = b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /MediaBox [0 0 9 9] %s >>" % FONT


def stream(data: bytes, facts: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), facts, data)


def packed(piece: bytes, *, many: int = 1, times: int = 1) -> bytes:
    """So many of a piece, without ever holding them all."""
    packing = zlib.compressobj(9)
    data = b"".join(packing.compress(piece) for _ in range(many)) + packing.flush()
    for _ in range(times - 1):
        data = zlib.compress(data, 9)
    return stream(data, b"/Filter [%s]" % (b"/FlateDecode " * times))


def page_of(contents: bytes) -> bytes:
    return pdf(CATALOGUE, PAGES, PAGE, contents)


@bomb("pdf")
def of_zeros() -> Body:
    return page_of(packed(bytes(10_000_000), many=12))


@bomb("pdf")
def of_zeros_packed_twice() -> Body:
    return page_of(packed(bytes(10_000_000), many=12, times=2))


@bomb("pdf")
def of_zeros_packed_four_times() -> Body:
    return page_of(packed(bytes(10_000_000), many=12, times=4))


@bomb("pdf")
def of_run_lengths() -> Body:
    return page_of(stream(b"\x81a" * 4_000_000, b"/Filter /RunLengthDecode"))


@bomb("pdf")
def of_endless_words() -> Body:
    return page_of(packed(b"BT /F1 9 Tf " + b"(word) Tj T* " * 4_000_000 + b"ET"))


@bomb("pdf")
def with_a_billion_pages() -> Body:
    return pdf(CATALOGUE, b"<< /Type /Pages /Kids [3 0 R] /Count 1000000000 >>", PAGE, stream(b"BT /F1 9 Tf (a) Tj ET"))


@bomb("pdf")
def of_too_many_pages() -> Body:
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>"
    kids = b" ".join(b"%d 0 R" % number for number in range(3, 5_103))
    return pdf(CATALOGUE, b"<< /Type /Pages /Kids [%s] /Count 5100 >>" % kids, *[page] * 5_100)


@bomb("pdf")
def of_pages_in_a_circle() -> Body:
    return pdf(
        CATALOGUE,
        b"<< /Type /Pages /Kids [3 0 R 3 0 R] /Count 2 >>",
        b"<< /Type /Pages /Parent 2 0 R /Kids [2 0 R 2 0 R] /Count 2 >>",
    )


@bomb("pdf")
def of_pages_that_double_forty_times() -> Body:
    nodes = [b"<< /Type /Pages /Kids [%d 0 R %d 0 R] /Count 9 >>" % (n, n) for n in range(3, 43)]
    return pdf(CATALOGUE, *nodes, b"<< /Type /Page /MediaBox [0 0 9 9] >>")


@bomb("pdf")
def of_pages_nested_deeply() -> Body:
    nodes = [b"<< /Type /Pages /Kids [%d 0 R] /Count 1 >>" % n for n in range(3, 20_003)]
    return pdf(CATALOGUE, *nodes, b"<< /Type /Page /MediaBox [0 0 9 9] >>")


@bomb("pdf")
def of_brackets() -> Body:
    return pdf(CATALOGUE, PAGES, b"<< /Type /Page /MediaBox %s >>" % (b"[" * 3_000_000))


@bomb("pdf")
def of_brackets_in_a_page() -> Body:
    return page_of(packed(b"[" * 5_000_000))


@bomb("pdf")
def with_a_table_that_points_at_itself() -> Body:
    whole = page_of(stream(b"BT /F1 9 Tf (a) Tj ET"))
    at = whole.rindex(b"xref\n0 ")
    return whole.replace(b"/Root 1 0 R >>", b"/Root 1 0 R /Prev %d >>" % at)


@bomb("pdf")
def of_a_form_in_itself() -> Body:
    resources = b"/Resources << /XObject << /X 5 0 R >> >>"
    page = b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /MediaBox [0 0 9 9] %s >>" % resources
    form = stream(b"/X Do /X Do", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] %s" % resources)
    return pdf(CATALOGUE, PAGES, page, stream(b"/X Do"), form)


@bomb("pdf")
def of_forms_that_double_forty_times() -> Body:
    def resources(number: int) -> bytes:
        return b"/Resources << /XObject << /X %d 0 R >> >>" % number

    forms = [
        stream(b"/X Do /X Do", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] %s" % resources(number))
        for number in range(6, 46)
    ]
    page = b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /MediaBox [0 0 9 9] %s >>" % resources(5)
    last = stream(b"", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9]")
    return pdf(CATALOGUE, PAGES, page, stream(b"/X Do"), *forms, last)


@bomb("pdf")
def with_a_character_map_of_billions() -> Body:
    space = b"1 begincodespacerange <00000000> <FFFFFFFF> endcodespacerange "
    lines = space + b"1 beginbfrange <00000000> <FFFFFFFF> <0041> endbfrange"
    facts = b"/Type /Font /Subtype /Type0 /BaseFont /A /Encoding /Identity-H /ToUnicode 5 0 R /DescendantFonts [6 0 R]"
    resources = b"/Resources << /Font << /F1 << %s >> >> >>" % facts
    page = b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /MediaBox [0 0 9 9] %s >>" % resources
    descendant = b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /A /W [0 4000000000 500] >>"
    return pdf(CATALOGUE, PAGES, page, stream(b"BT /F1 9 Tf <0041> Tj ET"), stream(lines), descendant)
