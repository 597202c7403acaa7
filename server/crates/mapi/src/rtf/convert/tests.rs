//! RTF as mail programs write it, and as nobody does.

use super::*;

fn converted(rtf: &str) -> Converted {
    convert(&mut rtf.as_bytes(), 1252).unwrap()
}

#[test]
fn html_comes_out_as_it_was_put_in() {
    for (rtf, html) in [
        // MS-OXRTFEX section 3.1, shortened.
        (
            "{\\rtf1\\ansi\\ansicpg1252\\fromhtml1 \\deff0{\\fonttbl{\\f0\\fswiss Arial;}{\\f1\\fmodern Courier New;}}\
             {\\colortbl\\red0\\green0\\blue0;}\\uc1\\pard\\plain\\deftab360 \\f0\\fs24 \
             {\\*\\htmltag18 <HTML>}{\\*\\htmltag50 <BODY>}{\\*\\htmltag64}\\htmlrtf {\\b \\htmlrtf0 \
             {\\*\\htmltag84 <B>}bold\\'e9{\\*\\htmltag92 </B>}\\htmlrtf }\\htmlrtf0 {\\*\\htmltag0 \\par\\tab }\
             {\\*\\mhtmltag84 <IMG SRC=x>}{\\*\\htmltag84 <IMG SRC=\"cid:1\">}\\u8364? a\\~b{\\*\\htmltag58 </BODY>}}",
            "<HTML><BODY><B>boldé</B>\r\n\t<IMG SRC=\"cid:1\">€ a&nbsp;b</BODY>",
        ),
        ("{\\rtf1\\fromhtml1 {\\*\\htmltag84 &lt;}x\\{\\'7d\\\\\\par y}", "&lt;x{}\\\r\ny"),
        ("{\\rtf1\\fromhtml1 {\\pntext\\f1 1.}{\\*\\unknown gone}kept}", "kept"),
    ] {
        assert_eq!(converted(rtf).html.as_deref(), Some(html));
    }
}

#[test]
fn text_comes_out_as_it_was_put_in() {
    let got = converted("{\\rtf1\\ansi\\fromtext {\\fonttbl{\\f0 Arial;}}\\pard a\\par b\\tab c\\lquote d\\'80}");
    assert_eq!((got.html, got.text.as_deref()), (None, Some("a\r\nb\tc‘d€")));
}

#[test]
fn text_is_decoded_by_the_font_that_it_stands_in() {
    let rtf = "{\\rtf1\\ansi\\ansicpg1252\\fromtext{\\fonttbl{\\f0\\fcharset0 A;}{\\f1\\fcharset204 B;}\
               {\\f2\\fcharset128 C;}}\\f1 \\'cf\\'f0\\f2 \\'93\\'fa\\f0 \\'e9{\\f1 \\'e9}\\'e9\
               \\uc2\\u-10179\\'3f\\'3f\\u-8704 ??z}";
    assert_eq!(converted(rtf).text.as_deref(), Some("Прüé".replace('ü', "日").replace("é", "éйé😀z").as_str()));
}

#[test]
fn rich_text_is_rendered_as_text_and_html() {
    let got = converted(
        "{\\rtf1\\ansi{\\fonttbl{\\f0 Arial;}{\\f1\\fcharset2 Symbol;}}{\\colortbl;\\red255\\green0\\blue0;}\\f0 \
         {\\b Bold} & {\\cf1 red}\\par\\par{\\pntext\\f1\\'b7\\tab}point\\par\
         {\\field{\\*\\fldinst{HYPERLINK \"http://a.test/?x=1&y\"}}{\\fldrslt{\\ul here}}}\\par\
         \\trowd\\intbl a\\cell b\\cell\\row\\pard end}",
    );
    let html = got.html.unwrap();
    for part in [
        "<b>Bold</b>",
        " &amp; ",
        "color:#ff0000",
        "<div><br></div>",
        "<a href=\"http://a.test/?x=1&amp;y\">",
        "<td valign=\"top\"><div><span style=\"font-family:'Arial'\">a</span></div></td>",
        "</tr>\r\n</table>",
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
    assert_eq!(got.text.as_deref(), Some("Bold & red\r\n\r\n•\tpoint\r\nhere <http://a.test/?x=1&y>\r\na\tb\r\nend"));
}

#[test]
fn pictures_are_taken_out_and_shown_where_they_stood() {
    let got = converted(
        "{\\rtf1 a{\\*\\shppict{\\pict\\pngblip\\picwgoal300\\pichgoal150 89 50\n4E{\\*\\blipuid 00ff}47}}{\\nonshppict{\\pict\\wmetafile8 01}}\
         b{\\shp{\\*\\shpinst{\\sp{\\sn pib}{\\sv {\\pict\\jpegblip\\bin3 }}}}}{\\shptxt box}}}c}",
    );
    let pictures: Vec<(&str, &[u8])> = got.pictures.iter().map(|p| (p.mime, p.data.as_slice())).collect();
    assert_eq!(pictures, [("image/png", &b"\x89PNG"[..]), ("image/jpeg", b"}}}")]);
    let html = got.html.unwrap();
    assert!(html.contains("<img src=\"cid:picture1@body.rtf\" width=\"20\" height=\"10\">"), "{html}");
    assert_eq!((got.text.as_deref(), got.whole), (Some("abboxc"), true));
    // A kind that is no file of its own is not taken: then the RTF has to be kept.
    assert!(!converted("{\\rtf1{\\pict\\dibitmap0 0102}}").whole);
}

#[test]
fn nonsense_neither_panics_nor_hangs() {
    let deep = "{".repeat(100_000);
    for rtf in ["", "}}}}", "\\", "\\'", "\\'z", "{\\u", "\\u99999999 x", "{\\rtf1\\bin99999999 x", "\\uc-5\\u5", &deep]
    {
        converted(rtf);
    }
}

#[test]
fn damage_neither_panics_nor_hangs() {
    let good = "{\\rtf1\\ansi\\ansicpg1252\\fromhtml1{\\fonttbl{\\f0\\fcharset128 A;}}{\\colortbl;\\red1\\green2\\blue3;}\
                {\\*\\htmltag84 <p>}\\htmlrtf{\\b\\htmlrtf0 b\\'93\\'fa\\u-10179?\\u-8704?}\\trowd\\intbl a\\cell\\row\\pard\
                {\\field{\\*\\fldinst HYPERLINK \"http://a\"}{\\fldrslt x}}\\par}";
    for good in [good.to_owned(), good.replace("\\fromhtml1", "")] {
        for seed in 0..5_000_usize {
            let mut bytes = good.clone().into_bytes();
            for step in 0..1 + seed % 4 {
                let at = (seed * 7_919 + step * 104_729) % bytes.len();
                match seed % 3 {
                    0 => bytes[at] = b"{}\\'0-* "[(seed / 3 + step) % 8],
                    1 => bytes.truncate(at.max(1)),
                    _ => bytes[at] ^= u8::try_from(seed % 255).unwrap() | 1,
                }
            }
            convert(&mut bytes.as_slice(), 1252).unwrap();
        }
    }
}
