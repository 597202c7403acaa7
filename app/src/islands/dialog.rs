//! A link that opens a dialog instead of the page it leads to.

use leptos::{html, prelude::*};

/// A link to a page, which in a living page opens its content as a modal dialog.
#[island]
pub fn DialogLink(
    /// The page with the same content.
    href: String,
    /// The link's text.
    text: String,
    /// The link's look.
    class: String,
    /// The id of the heading in the children.
    heading: String,
    /// The dialog's content.
    children: Children,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    let open = move |event: leptos::ev::MouseEvent| {
        // With a modifier the person wants the page in another tab.
        if event.ctrl_key() || event.meta_key() || event.shift_key() {
            return;
        }
        if let Some(dialog) = dialog.get_untracked()
            && dialog.show_modal().is_ok()
        {
            event.prevent_default();
        }
    };
    view! {
        <a class=class href=href on:click=open>{text}</a>
        <dialog node_ref=dialog aria-labelledby=heading>{children()}</dialog>
    }
}
