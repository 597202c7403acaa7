//! Files ready to use: one with something of everything, and one as large as is wanted.

use super::folder::Role;
use super::item::{Attachment, Content, Item, Recipient, RecipientKind};
use super::rtf::{rtf_compressed, rtf_uncompressed};
use super::value::Value;
use super::writer::Pst;
use rand::{Rng as _, SeedableRng as _};
use std::io::{self, Seek, Write};

/// 2024-02-29T12:00:00Z.
const DAY: i64 = 1_709_208_000;
const DOTLESS: &str = "{\\rtf1\\ansi\\ansicpg1252\\fromhtml1 \\deff0{\\fonttbl{\\f0\\fswiss Arial;}}{\\*\\htmltag64 <p>}\
\\htmlrtf {\\htmlrtf0 Ol\\'e1 \\u8364?{\\*\\htmltag84 <b>}\\htmlrtf {\\b \\htmlrtf0 mundo\\htmlrtf }\\htmlrtf0 \
{\\*\\htmltag92 </b>}\\htmlrtf }\\htmlrtf0 {\\*\\htmltag72 </p>}}";

/// Fills a file with something of everything that a mailbox holds: 12 mails in 6 folders, of them one only in the node
/// tree, and 6 items that are no mail.
///
/// # Errors
/// Where the file cannot be written.
pub fn everything<W: Write + Seek>(pst: &mut Pst<W>) -> io::Result<()> {
    let top = pst.top();
    let inbox = pst.folder_for(top, "Caixa de Entrada", Role::Inbox);
    let sent = pst.folder_for(top, "Itens Enviados", Role::Sent);
    let drafts = pst.folder_for(top, "Rascunhos", Role::Drafts);
    let clients = pst.folder(inbox, "Clientes / Ação");
    let year = pst.folder(clients, "2024");
    pst.folder(top, "Vazia");

    let mail = |number: i64, subject: &str| {
        Item::mail(subject)
            .from("Ana Müller", "ana@example.test")
            .to("João Conceição", "joao@example.test")
            .date(DAY + number * 3600)
            .message_id(&format!("<{number}@example.test>"))
    };
    pst.item(inbox, &mail(1, "Texto simples").text("Bom dia,\r\n\r\nsegue o relatório.\r\n").flags(0))?;
    pst.item(
        inbox,
        &mail(2, "HTML e imagem")
            .html("<p>Olá <b>mundo</b><img src=\"cid:logo@example.test\"></p>", 65001)
            .text("Olá mundo")
            .attach(Attachment::inline("logo.png", "image/png", "logo@example.test", png()))
            .flagged(),
    )?;
    pst.item(
        inbox,
        &mail(3, "Anexo com nome em português")
            .text("Segue.")
            .attach(Attachment::file("Relatório de Ações – março.pdf", "application/pdf", noise(3, 20_000)))
            .cc("Zé", "ze@example.test")
            .bcc("Oculta", "oculta@example.test"),
    )?;
    let inner = mail(90, "Mensagem dentro").text("Dentro.").attach(Attachment::file("a.txt", "text/plain", "a\r\n"));
    let deeper = mail(91, "No meio").text("Meio.").attach(Attachment::message(inner));
    pst.item(clients, &mail(4, "Encaminhada").text("Veja.").attach(Attachment::message(deeper)))?;
    pst.item(clients, &mail(5, "Só RTF").rtf(rtf_compressed(DOTLESS.as_bytes())))?;
    pst.item(year, &mail(6, "RTF sem compressão").rtf(rtf_uncompressed(b"{\\rtf1\\ansi plain \\'e9 text\\par}")))?;
    let headers = "Received: from mx.example.test by in.example.test; Thu, 29 Feb 2024 19:00:00 +0000\r\n\
        From: =?utf-8?q?Ana_M=C3=BCller?= <ana@example.test>\r\nTo: joao@example.test\r\nSubject: Com cabecalho\r\n\
        Date: Thu, 29 Feb 2024 16:00:00 -0300\r\nMessage-ID: <7@example.test>\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=\"old\"\r\nX-Kept: yes\r\n\r\n";
    pst.item(
        year,
        &mail(7, "Com cabeçalho").headers(headers).text("Texto.").categories(&["Urgente", "Café da manhã"]),
    )?;
    pst.item(year, &mail(8, "Só na árvore").text("Sem linha na tabela.").unlisted())?;
    let dn = "/o=Example/ou=Exchange/cn=Recipients/cn=ana";
    pst.item(
        sent,
        &Item::mail("De um Exchange")
            .from_exchange("Ana Müller", dn, Some("ana@example.test"))
            .recipient(Recipient::exchange(RecipientKind::To, "João", "/o=Example/cn=joao", Some("joao@example.test")))
            .date(DAY + 9 * 3600)
            .text(&"Um texto longo, maior que um bloco. ".repeat(2_000)),
    )?;
    pst.item(drafts, &Item::mail("Rascunho").flags(9).text("ainda não enviado"))?;
    pst.item(
        inbox,
        &Item::meeting_request("Reunião", DAY + 86_400, DAY + 90_000, "Sala 3")
            .from("Ana", "ana@example.test")
            .to("João", "joao@example.test")
            .date(DAY + 11 * 3600)
            .text("Venha."),
    )?;
    let deleted = pst.deleted();
    pst.item(deleted, &mail(12, "Apagada").text("x").attach(Attachment::of(Content::Ole(noise(5, 9_000)))))?;

    let people = pst.folder_for(top, "Contatos", Role::Contacts);
    pst.item(people, &Item::contact("Maria Conceição", "maria@example.test"))?;
    pst.item(people, &Item::distribution_list("Equipe", &[("Ana", "ana@example.test"), ("Zé", "ze@example.test")]))?;
    let calendar = pst.folder_for(top, "Calendário", Role::Calendar);
    pst.item(calendar, &Item::appointment("Consulta", DAY, DAY + 3600, "Porto Alegre").text("Trazer exames."))?;
    let tasks = pst.folder_for(top, "Tarefas", Role::Tasks);
    pst.item(tasks, &Item::task("Pagar conta", DAY + 864_000))?;
    let notes = pst.folder_for(top, "Anotações", Role::Notes);
    pst.item(notes, &Item::note("Senha do portão: não é esta"))?;
    let journal = pst.folder_for(top, "Diário", Role::Journal);
    pst.item(journal, &Item::activity("Telefonema", DAY, DAY + 600))?;
    Ok(())
}

/// Fills a file with little: a mail with a file, RTF and another mail attached, a contact and an appointment.
///
/// # Errors
/// Where the file cannot be written.
pub fn small<W: Write + Seek>(pst: &mut Pst<W>) -> io::Result<()> {
    let inbox = pst.folder_for(pst.top(), "Inbox", Role::Inbox);
    let mail = Item::mail("Olá").from("Ana", "ana@example.test").to("Zé", "ze@example.test").date(DAY);
    let inner = Item::mail("Dentro").text("x");
    pst.item(
        inbox,
        &mail
            .message_id("<1@example.test>")
            .rtf(rtf_compressed(DOTLESS.as_bytes()))
            .categories(&["a", "b"])
            .attach(Attachment::file("ação.txt", "text/plain", "texto"))
            .attach(Attachment::message(inner)),
    )?;
    pst.item(inbox, &Item::contact("Zé", "ze@example.test"))?;
    pst.item(inbox, &Item::appointment("Consulta", DAY, DAY + 3600, "Sala"))?;
    Ok(())
}

/// Fills a file with so many mails of a mean size, in so many folders; the same numbers give the same file.
///
/// # Errors
/// Where the file cannot be written.
pub fn load<W: Write + Seek>(pst: &mut Pst<W>, messages: usize, average: usize, folders: usize) -> io::Result<()> {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let top = pst.top();
    let mut all = vec![pst.folder_for(top, "Inbox", Role::Inbox), pst.folder_for(top, "Sent Items", Role::Sent)];
    for number in 2..folders {
        let parent = if number % 3 == 0 { all[random.random_range(0..all.len())] } else { top };
        all.push(pst.folder(parent, &format!("Projeto {number:03} – ação")));
    }
    let blob = noise(7, 8 << 20);
    const WORDS: [&str; 12] = [
        "relatório",
        "conta",
        "reunião",
        "projeto",
        "cliente",
        "serviço",
        "entrega",
        "prazo",
        "contrato",
        "señal",
        "日本",
        "straße",
    ];
    let words = |random: &mut rand_chacha::ChaCha8Rng, count: usize| {
        (0..count).map(|_| WORDS[random.random_range(0..WORDS.len())]).collect::<Vec<_>>().join(" ")
    };
    for number in 0..messages {
        let subject = words(&mut random, 5);
        let person = random.random_range(1..400);
        let (name, address) = (format!("Pessoa {person} Müñoz"), format!("pessoa{person}@example.test"));
        let seconds = 1_262_304_000 + number as i64 * 7919;
        let id = format!("<{number:08}.{:08x}@example.test>", random.random::<u32>());
        let text_words = random.random_range(20..400);
        let text = words(&mut random, text_words) + "\r\n";
        let mut item = Item::mail(&subject).from(&name, &address).date(seconds).message_id(&id).text(&text);
        for _ in 0..random.random_range(1..4) {
            let to = random.random_range(1..300);
            item = item.to(&format!("Destino {to}"), &format!("destino{to}@example.test"));
        }
        if random.random_bool(0.2) {
            item = item.flags(0);
        }
        if random.random_bool(0.5) {
            item = item.html(format!("<html><body><p>{}</p></body></html>", text.trim_end()), 65001);
        }
        if random.random_bool(0.7) {
            item = item.headers(&format!(
                "Received: from mx.example.test by dest.example.test (id {number})\r\nFrom: {address}\r\n\
                 Subject: {number}\r\nMessage-ID: {id}\r\nMIME-Version: 1.0\r\n\
                 Content-Type: multipart/mixed; boundary=\"x\"\r\n\r\n"
            ));
        }
        if random.random_bool(0.3) {
            // Three in ten carry what the others lack.
            let spread = f64::ln(1.0 - random.random::<f64>()).abs() * average as f64 * 2.6;
            let bytes = (spread as usize).clamp(100, 6 << 20);
            let at = random.random_range(0..blob.len() - bytes);
            item = item.attach(Attachment::file(
                &format!("ação {number} – relatório.pdf"),
                "application/pdf",
                &blob[at..at + bytes],
            ));
        }
        if random.random_bool(0.01) {
            let inner = Item::mail("Encaminhada").from(&name, &address).date(seconds - 999).text("dentro");
            item = item.attach(Attachment::message(inner));
        }
        pst.item(all[random.random_range(0..all.len())], &item.tag(0x3FFD, Value::Int32(1252)))?;
    }
    Ok(())
}

fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut out = vec![0; bytes];
    rand_chacha::ChaCha8Rng::seed_from_u64(seed).fill(out.as_mut_slice());
    out
}

/// A picture of one red point.
fn png() -> Vec<u8> {
    const POINT: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\x0cIDAT\
x\x9cc\xf8\xcf\xc0\0\0\x03\x01\x01\0\xc9\xfe\x92\xef\0\0\0\0IEND\xaeB`\x82";
    POINT.to_vec()
}
